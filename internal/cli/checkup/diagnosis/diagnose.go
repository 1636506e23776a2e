package diagnosis

import "github.com/fedctl/fedctl/internal/finding"

// Report is what is wrong.
type Report struct {
	Namespace string `json:"namespace"`
	// Healthy is set if there is no failure.
	Healthy bool `json:"healthy"`
	// Clusters, Types and Objects are how many were looked at.
	Clusters int               `json:"clusters"`
	Types    int               `json:"types"`
	Objects  int               `json:"objects"`
	Findings []finding.Finding `json:"findings"`
}

// Diagnose judges what was read.
func Diagnose(in Input) Report {
	d := &diagnosis{in: &in}
	for _, judge := range []func(){d.unreadable, d.installed, d.controller, d.leader, d.shipped, d.clusters, d.types, d.policies, d.objects} {
		judge()
	}
	r := Report{Namespace: in.Namespace, Clusters: len(in.Clusters), Types: len(in.Types), Findings: finding.Merge(d.findings)}
	if in.Troubles != nil {
		r.Objects = in.Troubles.Looked
	}
	if r.Findings == nil {
		r.Findings = []finding.Finding{}
	}
	r.Healthy = !finding.Has(r.Findings, finding.Failure)
	return r
}

// diagnosis gathers findings.
type diagnosis struct {
	in       *Input
	findings []finding.Finding
}

func (d *diagnosis) find(f finding.Finding) { d.findings = append(d.findings, f) }

// unreadable says what is not in the report: silence about it is no good sign.
func (d *diagnosis) unreadable() {
	for _, what := range d.in.Unreadable {
		d.find(finding.Finding{Level: finding.Warning, Code: "unreadable", Message: what + ": what it holds is not in this report",
			Do: "run it again with an account that may read it, or when the API server answers"})
	}
}
