package diagnosis

import (
	"slices"
	"strings"

	"github.com/fedctl/fedctl/internal/finding"
)

// Report is what is wrong.
type Report struct {
	Namespace string `json:"namespace"`
	// Healthy is set if there is no failure among what could be read.
	Healthy bool `json:"healthy"`
	// Complete is set if all could be read.
	Complete bool `json:"complete"`
	// Clusters, Types and Objects are how many were looked at.
	Clusters int               `json:"clusters"`
	Types    int               `json:"types"`
	Objects  int               `json:"objects"`
	Findings []finding.Finding `json:"findings"`
}

// Diagnose judges what was read.
func Diagnose(in Input) Report {
	d := &diagnosis{in: &in}
	for _, judge := range []func(){d.unreadable, d.installed, d.controller, d.leader, d.shipped, d.clusters, d.capacities, d.types, d.policies, d.objects} {
		judge()
	}
	r := Report{Namespace: in.Namespace, Clusters: len(in.Clusters), Types: len(in.Types), Findings: finding.Merge(d.findings)}
	if in.Troubles != nil {
		r.Objects = in.Troubles.Looked
	}
	if r.Findings == nil {
		r.Findings = []finding.Finding{}
	}
	r.Complete = len(in.Unread) == 0
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
	for _, u := range d.in.Unread {
		f := finding.Finding{Level: finding.Warning, Code: "unreadable", Subject: strings.ToLower(u.Kind), Message: u.Why + ": it is not in this report", Do: "run it again when the API server answers"}
		if u.Why == "" {
			f.Message, f.Do = "this account may not read it: it is not in this report", "run it again with an account that may read it"
		}
		if u.Kind == "KubeFedConfig" {
			f.Message += ", nor is what depends on the control plane's scope, such as its rights"
		}
		if u.Object != "" {
			f.Objects = []string{u.Object}
		}
		d.find(f)
	}
}

// knows says whether objects of a kind could be read.
func (d *diagnosis) knows(kind string) bool {
	return !slices.ContainsFunc(d.in.Unread, func(u Unread) bool { return u.Kind == kind })
}
