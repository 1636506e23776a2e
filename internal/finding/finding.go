// Package finding is what commands that judge a federation say of it: findings, the
// gravest first, each with what to do. What is judged, and how, is the commands'.
//
// It is pure: values in, values and text out.
package finding

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Level is how much a finding matters.
type Level string

// The levels, the worst first.
const (
	// Blocks is what has to be mended before something that is planned.
	Blocks Level = "blocks"
	// Failure is what does not do now what somebody has asked for.
	Failure Level = "failure"
	// Warning is what is odd, or will be a failure.
	Warning Level = "warning"
	// Note is what is worth knowing and does no harm.
	Note Level = "note"
)

var levels = []Level{Blocks, Failure, Warning, Note}

// Finding is something that is worth knowing.
type Finding struct {
	Level Level `json:"level"`
	// Code names the kind of finding; it does not change between releases.
	Code string `json:"code"`
	// Subject is the resource it is about, such as federateddeployments.types.kubefed.io.
	Subject string `json:"subject,omitempty"`
	// Objects are the names of objects of Subject, as namespace/name or name.
	Objects []string `json:"objects,omitempty"`
	// Since is the first time that something tells of it, where something does.
	Since   *metav1.Time `json:"since,omitempty"`
	Message string       `json:"message"`
	// Do says what to do about it, often a command.
	Do string `json:"do,omitempty"`
}

// Merge joins findings that differ only in their objects and times, and sorts them:
// levels, then codes, then subjects.
func Merge(findings []Finding) []Finding {
	var merged []Finding
	at := map[[5]string]int{}
	for _, f := range findings {
		key := [5]string{string(f.Level), f.Code, f.Subject, f.Message, f.Do}
		i, known := at[key]
		if !known {
			at[key] = len(merged)
			f.Objects = slices.Clone(f.Objects)
			merged = append(merged, f)
			continue
		}
		merged[i].Objects = append(merged[i].Objects, f.Objects...)
		if f.Since != nil && (merged[i].Since == nil || f.Since.Before(merged[i].Since)) {
			merged[i].Since = f.Since
		}
	}
	for i := range merged {
		slices.Sort(merged[i].Objects)
		merged[i].Objects = slices.Compact(merged[i].Objects)
	}
	slices.SortStableFunc(merged, func(x, y Finding) int {
		return cmp.Or(slices.Index(levels, x.Level)-slices.Index(levels, y.Level), cmp.Compare(x.Code, y.Code), cmp.Compare(x.Subject, y.Subject))
	})
	return merged
}

// Has says whether there is a finding of a level.
func Has(findings []Finding, level Level) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == level })
}
