package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/internal/finding"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

func (d *diagnosis) installed() {
	in := d.in
	switch {
	case !in.Installed:
		d.find(finding.Finding{Level: finding.Failure, Code: "not-installed", Subject: "kubefedconfig", Objects: []string{in.Namespace + "/" + kubefedconfig.Name},
			Message: "there is no control plane in namespace " + in.Namespace, Do: "fedctl install, or name the control plane's namespace with --kubefed-namespace"})
	case in.ConfigError != "":
		d.find(finding.Finding{Level: finding.Failure, Code: "settings-refused", Subject: "kubefedconfig", Objects: []string{in.Namespace + "/" + kubefedconfig.Name},
			Message: "the controller does not start with these settings: " + in.ConfigError, Do: "kubectl -n " + in.Namespace + " edit kubefedconfig " + kubefedconfig.Name})
	}
	if in.KubeFed != nil && in.KubeFed.Want > 0 {
		d.find(finding.Finding{Level: finding.Failure, Code: "two-controllers", Subject: "deployment " + kubefedconfig.KubeFedController,
			Message: "KubeFed's own controller is to run as well: the two undo each other's work",
			Do:      "kubectl -n " + in.Namespace + " scale deployment " + kubefedconfig.KubeFedController + " --replicas 0"})
	}
}

func (d *diagnosis) controller() {
	in, c := d.in, d.in.Controller
	subject := "deployment " + kubefedconfig.Controller
	switch {
	case !in.Installed:
		return
	case c == nil && (in.Leader != "" || !d.knows("Deployment") || !d.knows("Lease")):
		return // it runs somewhere else, and well, or nobody can say
	case c == nil:
		d.find(finding.Finding{Level: finding.Warning, Code: "no-controller", Subject: subject,
			Message: "the controller has no Deployment in namespace " + in.Namespace + ", and leads nowhere else", Do: "fedctl install, or start the controller where it is to run"})
		return
	case c.Want == 0:
		d.find(finding.Finding{Level: finding.Warning, Code: "controller-stopped", Subject: subject,
			Message: "it is scaled to 0 replicas", Do: "kubectl -n " + in.Namespace + " scale deployment " + c.Name + " --replicas 2"})
	case c.Ready < c.Want:
		level := finding.Warning
		if c.Ready == 0 {
			level = finding.Failure
		}
		d.find(finding.Finding{Level: level, Code: "controller-not-ready", Subject: subject, Message: fmt.Sprintf("%d of %d replicas are ready", c.Ready, c.Want),
			Do: "kubectl -n " + in.Namespace + " describe pods -l app.kubernetes.io/name=" + kubefedconfig.Controller})
	}
	if _, tag, ok := strings.Cut(lastPart(c.Image), ":"); ok && in.Version != "" && strings.HasPrefix(tag, "v") && strings.HasPrefix(in.Version, "v") && tag != in.Version {
		d.find(finding.Finding{Level: finding.Note, Code: "versions-differ", Subject: subject,
			Message: "its image is " + c.Image + ", and this is fedctl " + in.Version, Do: "fedctl install brings the control plane to the version of fedctl"})
	}
}

// lastPart is what follows the last slash: a colon before it is a port's.
func lastPart(image string) string { return image[strings.LastIndex(image, "/")+1:] }

func (d *diagnosis) leader() {
	in := d.in
	switch {
	case !in.Installed:
	case in.NoLeaderSince != nil:
		since := metav1.NewTime(*in.NoLeaderSince)
		d.find(finding.Finding{Level: finding.Failure, Code: "no-leader", Subject: "lease " + kubefedconfig.Controller, Since: &since,
			Message: "no controller leads: nothing is propagated, and every status may be as old as that",
			Do:      "kubectl -n " + in.Namespace + " get pods; kubectl -n " + in.Namespace + " logs deployment/" + kubefedconfig.Controller})
	case in.Leader == "" && in.Controller != nil && in.Controller.Ready > 0 && d.knows("Lease"):
		d.find(finding.Finding{Level: finding.Warning, Code: "never-led", Subject: "lease " + kubefedconfig.Controller,
			Message: "no controller has led this control plane yet, or it runs with --leader-elect=false", Do: "kubectl -n " + in.Namespace + " logs deployment/" + kubefedconfig.Controller})
	}
}

// shipped are definitions and policies that are not as this fedctl brings them.
func (d *diagnosis) shipped() {
	if !d.in.Installed {
		return
	}
	for _, s := range d.in.Shipped {
		subject := strings.ToLower(s.Kind)
		switch {
		case s.Missing && strings.HasPrefix(s.Kind, "ValidatingAdmissionPolicy"):
			d.find(finding.Finding{Level: finding.Warning, Code: "policy-missing", Subject: subject, Objects: []string{s.Name},
				Message: "what it keeps out is only found later, or not at all: docs/security.md says what rests on it", Do: "fedctl install"})
		case s.Missing && s.Kind == "CustomResourceDefinition":
			d.find(finding.Finding{Level: finding.Failure, Code: "definition-missing", Subject: subject, Objects: []string{s.Name},
				Message: "the host does not know the type", Do: "fedctl install"})
		case s.Missing:
			d.find(finding.Finding{Level: finding.Failure, Code: "role-missing", Subject: subject, Objects: []string{s.Name},
				Message: "somebody has no rights that the control plane counts on", Do: "fedctl install"})
		case s.Differs:
			d.find(finding.Finding{Level: finding.Warning, Code: "other-version", Subject: subject, Objects: []string{s.Name},
				Message: "it is not as this fedctl brings it: another version has installed it, or somebody has changed it", Do: "fedctl install; --dry-run shows what it would do"})
		}
	}
}

func (d *diagnosis) types() {
	for i := range d.in.Types {
		t := &d.in.Types[i]
		f := finding.Finding{Level: finding.Failure, Subject: "federatedtypeconfig", Objects: []string{t.Name}}
		switch {
		case t.Enabled && !t.Defined:
			f.Code, f.Message, f.Do = "type-without-definition", "the host has no "+t.Definition+", the definition of its federated type", "fedctl enable "+t.Name
			d.find(f)
		case t.Enabled && !t.Running && d.in.NoLeaderSince == nil && d.in.Leader != "":
			f.Code, f.Message, f.Do = "type-not-running", "the controller does not federate it, though it is enabled", "kubectl -n "+d.in.Namespace+" describe federatedtypeconfig "+t.Name
			d.find(f)
		}
		d.conditions(finding.Warning, f.Subject, t.Name, t.Conditions, "kubectl -n "+d.in.Namespace+" describe federatedtypeconfig "+t.Name)
	}
}

func (d *diagnosis) policies() {
	for i := range d.in.Policies {
		p := &d.in.Policies[i]
		name := strings.TrimPrefix(p.Namespace+"/"+p.Name, "/")
		d.conditions(finding.Failure, strings.ToLower(p.Kind), name, troublesOf(p.Conditions), "kubectl describe "+strings.ToLower(p.Kind)+" "+p.Name+inNamespace(p.Namespace))
	}
}

// troublesOf a policy are those of its conditions that tell of something, as ones that are False.
func troublesOf(conditions []metav1.Condition) (troubles []metav1.Condition) {
	for _, c := range conditions {
		switch {
		case c.Type == policyv1alpha1.ConditionContested:
			if c.Status != metav1.ConditionTrue {
				continue // nobody contests it
			}
			c.Status = metav1.ConditionFalse
		case c.Type == policyv1alpha1.ConditionApplied && slices.Contains(saidByAccepted, c.Reason):
			continue // ConditionAccepted says why
		case slices.Contains(saidByAccepted, c.Reason):
			c.Status = metav1.ConditionFalse
		}
		troubles = append(troubles, c)
	}
	return troubles
}

// saidByAccepted are reasons that ConditionApplied repeats from ConditionAccepted.
var saidByAccepted = []string{policyv1alpha1.ReasonInvalid, policyv1alpha1.ReasonSelectsNothing, policyv1alpha1.ReasonUnmatched}

func inNamespace(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " -n " + namespace
}

// lessGrave are reasons of conditions that are False and keep nobody from anything.
var lessGrave = map[string]finding.Level{
	policyv1alpha1.ReasonSelectsNothing: finding.Note,
	policyv1alpha1.ReasonUnmatched:      finding.Note,
	policyv1alpha1.ReasonContested:      finding.Warning,
	policyv1alpha1.ReasonPropagating:    finding.Warning, // what keeps it from clusters is told of these, or of the objects
}

// conditions are those that are False: what is said there says what to do.
func (d *diagnosis) conditions(level finding.Level, subject, name string, conditions []metav1.Condition, do string) {
	for i := range conditions {
		c := &conditions[i]
		if c.Status != metav1.ConditionFalse {
			continue
		}
		grave := level
		if less, found := lessGrave[c.Reason]; found {
			grave = less
		}
		since := c.LastTransitionTime
		d.find(finding.Finding{Level: grave, Code: hyphens(c.Reason), Subject: subject, Objects: []string{name}, Since: &since, Message: c.Message, Do: do})
	}
}

// hyphens makes a code of a reason: NotSelected becomes not-selected.
func hyphens(reason string) string {
	b := &strings.Builder{}
	for i, r := range reason {
		if r >= 'A' && r <= 'Z' && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return strings.ToLower(b.String())
}
