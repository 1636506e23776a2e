package analysis

import (
	"slices"
	"strings"
)

// Level is how much a finding matters.
type Level string

// The levels, the worst first.
const (
	// Blocks is what has to be mended first, because fedctl would not carry it out
	// as KubeFed does.
	Blocks Level = "blocks"
	// Warning is what is odd, most of it under KubeFed as well.
	Warning Level = "warning"
	// Note is what differs and does no harm.
	Note Level = "note"
)

var levels = []Level{Blocks, Warning, Note}

// Finding is something that is worth knowing before the move.
type Finding struct {
	Level Level `json:"level"`
	// Code names the kind of finding; it does not change between releases.
	Code string `json:"code"`
	// Subject is the resource it is about, such as federateddeployments.types.kubefed.io.
	Subject string `json:"subject,omitempty"`
	// Objects are the names of objects of Subject, as namespace/name or name.
	Objects []string `json:"objects,omitempty"`
	Message string   `json:"message"`
	// Do says what to do about it, often a command.
	Do string `json:"do,omitempty"`
}

// Report is the answer: what there is, what is odd, what to run.
type Report struct {
	// Ready is set if nothing blocks.
	Ready     bool      `json:"ready"`
	Namespace string    `json:"namespace"`
	KubeFed   KubeFed   `json:"kubefed"`
	Clusters  []Cluster `json:"clusters"`
	Types     []Type    `json:"types"`
	Settings  []Setting `json:"settings"`
	// Counts are numbers of objects, by plural name, of which there are any.
	Counts   map[string]int `json:"counts,omitempty"`
	Findings []Finding      `json:"findings"`
	Steps    []Step         `json:"steps"`
}

// KubeFed is what of KubeFed is there and runs.
type KubeFed struct {
	Scope string `json:"scope,omitempty"`
	// Controller and Webhook are as 1/2, ready replicas of wanted ones; empty if the
	// Deployment does not exist.
	Controller string `json:"controller,omitempty"`
	Webhook    string `json:"webhook,omitempty"`
	// Leader holds KubeFed's leader lock, as resource/holder; empty if nobody does.
	Leader                string   `json:"leader,omitempty"`
	WebhookConfigurations []string `json:"webhookConfigurations,omitempty"`
}

// Cluster is a member to take over.
type Cluster struct {
	Name string `json:"name"`
	// Ready is True, False or Unknown.
	Ready      string `json:"ready"`
	Kubernetes string `json:"kubernetes,omitempty"`
	Endpoint   string `json:"endpoint"`
	// Token says how long its credentials last: "never expires", "expires 2030-01-02",
	// "expired 2020-01-02", "unknown".
	Token string `json:"token"`
}

// Type is a federated type to take over.
type Type struct {
	Name          string `json:"name"`
	FederatedType string `json:"federatedType"`
	Target        string `json:"target"` // group/version, Kind
	Propagation   string `json:"propagation"`
	Status        string `json:"statusCollection"`
	Objects       int    `json:"objects"`
	// NotPropagated are those that KubeFed itself reports as not propagated.
	NotPropagated int `json:"notPropagated"`
}

// Setting is a field of the KubeFedConfig and what becomes of it.
type Setting struct {
	Field  string `json:"field"`
	Value  string `json:"value"`
	Effect string `json:"effect"`
}

// Step is something to run.
type Step struct {
	Why      string   `json:"why"`
	Commands []string `json:"commands,omitempty"`
}

// Analyze judges what was read.
func Analyze(in Input) Report {
	a := analyzer{in: &in}
	for _, judge := range []func(){a.unreadable, a.running, a.config, a.clusters, a.types, a.strays, a.counts} {
		judge()
	}
	r := a.report
	r.Namespace = in.Namespace
	r.Findings = merge(r.Findings)
	r.Ready = !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Blocks })
	r.Steps = steps(&in, &r)
	return r
}

// analyzer gathers a report.
type analyzer struct {
	in     *Input
	report Report
}

func (a *analyzer) find(f Finding) { a.report.Findings = append(a.report.Findings, f) }

func (a *analyzer) unreadable() {
	for _, what := range a.in.Unreadable {
		a.find(Finding{Level: Blocks, Code: "unreadable", Message: what + ": what it holds is not in this report",
			Do: "run the check again with an account that may read it, or when the API server answers"})
	}
}

// merge joins findings that differ only in their objects and sorts them: levels,
// then codes, then subjects.
func merge(findings []Finding) []Finding {
	var merged []Finding
	for _, f := range findings {
		i := slices.IndexFunc(merged, func(m Finding) bool {
			return m.Level == f.Level && m.Code == f.Code && m.Subject == f.Subject && m.Message == f.Message && m.Do == f.Do
		})
		if i < 0 {
			f.Objects = slices.Clone(f.Objects)
			merged = append(merged, f)
			continue
		}
		merged[i].Objects = append(merged[i].Objects, f.Objects...)
	}
	for i := range merged {
		slices.Sort(merged[i].Objects)
	}
	slices.SortStableFunc(merged, func(x, y Finding) int {
		if d := slices.Index(levels, x.Level) - slices.Index(levels, y.Level); d != 0 {
			return d
		}
		if d := strings.Compare(x.Code, y.Code); d != 0 {
			return d
		}
		return strings.Compare(x.Subject, y.Subject)
	})
	return merged
}
