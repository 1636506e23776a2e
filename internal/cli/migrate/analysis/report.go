package analysis

import "github.com/fedctl/fedctl/internal/finding"

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
	Counts   map[string]int    `json:"counts,omitempty"`
	Findings []finding.Finding `json:"findings"`
	Steps    []Step            `json:"steps"`
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
	r.Findings = finding.Merge(r.Findings)
	r.Ready = !finding.Has(r.Findings, finding.Blocks)
	r.Steps = steps(&in, &r)
	return r
}

// analyzer gathers a report.
type analyzer struct {
	in     *Input
	report Report
}

func (a *analyzer) find(f finding.Finding) { a.report.Findings = append(a.report.Findings, f) }

func (a *analyzer) unreadable() {
	for _, what := range a.in.Unreadable {
		a.find(finding.Finding{Level: finding.Blocks, Code: "unreadable", Message: what + ": what it holds is not in this report",
			Do: "run the check again with an account that may read it, or when the API server answers"})
	}
}
