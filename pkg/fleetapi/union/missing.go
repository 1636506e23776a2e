package union

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Why a cluster is missing, in one word.
const (
	Forbidden   = "Forbidden" // the host or the cluster does not let the user
	NotReady    = "NotReady"  // it is not asked
	NotServed   = "NotServed" // it does not have the type in this version
	TimedOut    = "TimedOut"  // it has not answered in the time asked for
	Failed      = "Failed"    // it has answered with an error, or not at all
	Invalid     = "Invalid"   // it has answered with what is no such list
	NotFound    = "NotFound"  // there is no such member
	Gone        = "Gone"      // it was there at the first page
	mostReasons = 1024        // of one cluster
	mostWarned  = 16          // clusters that are named one by one
	mostListed  = 2048        // of those that are named together
)

// Missing is a cluster whose answer is not in that of all.
type Missing struct {
	Cluster string `json:"-"`
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// String is for people.
func (m Missing) String() string {
	return errtext.Bounded(fmt.Sprintf("cluster %s is missing (%s): %s", m.Cluster, m.Reason, m.Message), mostReasons)
}

// Warnings are what a client is told of the clusters that are missing, in lines for people:
// those that the host does not let the user read in one, the others one by one.
func Warnings(missing []Missing) (lines []string) {
	missing = sorted(missing)
	var together, more []string
	for _, m := range missing {
		switch {
		case m.Reason == Forbidden && m.Message == "":
			together = append(together, m.Cluster)
		case len(lines) < mostWarned:
			lines = append(lines, m.String())
		default:
			more = append(more, m.Cluster)
		}
	}
	if len(together) > 0 {
		lines = append(lines, fmt.Sprintf("missing, since the host does not let you read them (get clusters/proxy), %d in all: %s", len(together), enumerated(together)))
	}
	if len(more) > 0 {
		lines = append(lines, fmt.Sprintf("missing as well, %d more: %s", len(more), enumerated(more)))
	}
	return lines
}

func enumerated(names []string) string {
	return errtext.Bounded(strings.Join(names, ", "), mostListed)
}

// MissingAnnotation is the text of the annotation that names the clusters that are missing: a
// JSON object with a reason and a message for each.
func MissingAnnotation(missing []Missing) string {
	if len(missing) == 0 {
		return ""
	}
	all := make(map[string]Missing, len(missing))
	for _, m := range missing {
		m.Message = errtext.Bounded(m.Message, mostReasons)
		all[m.Cluster] = m
	}
	text, err := json.Marshal(all)
	if err != nil {
		return "" // strings only: there is none
	}
	return string(text)
}

func sorted(missing []Missing) []Missing {
	missing = slices.Clone(missing)
	slices.SortFunc(missing, func(a, b Missing) int { return strings.Compare(a.Cluster, b.Cluster) })
	return missing
}
