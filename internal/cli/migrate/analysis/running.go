package analysis

import (
	"fmt"
	"time"

	"github.com/fedctl/fedctl/internal/finding"
)

// running is what of KubeFed runs, and of fedctl.
func (a *analyzer) running() {
	k := &a.report.KubeFed
	kubefed, webhook, fedctl := a.deployment(KubeFedController), a.deployment(KubeFedWebhook), a.deployment(FedctlController)
	k.Controller, k.Webhook = kubefed.String(), webhook.String()
	for _, w := range a.in.Webhooks {
		k.WebhookConfigurations = append(k.WebhookConfigurations, w.Resource+"/"+w.Name)
	}
	for _, lock := range a.in.Locks {
		if lock.held(a.in.Now) {
			k.Leader = lock.Resource + "/" + lock.Holder
		}
	}
	switch {
	case kubefed != nil && kubefed.Want > 0 && fedctl != nil && fedctl.Want > 0:
		a.find(finding.Finding{Level: finding.Blocks, Code: "two-controllers", Subject: "deployment " + KubeFedController,
			Message: "KubeFed's controller and fedctl's are both to run: they undo each other's work",
			Do:      "stop one: kubectl -n " + a.in.Namespace + " scale deployment " + KubeFedController + " --replicas 0"})
	case k.Leader != "" && (kubefed == nil || kubefed.Want == 0):
		a.find(finding.Finding{Level: finding.Blocks, Code: "controller-elsewhere", Subject: k.Leader,
			Message: "a controller of KubeFed renewed its leader lock less than a minute ago, but no Deployment " + KubeFedController + " is to run in namespace " + a.in.Namespace,
			Do:      "find what its holder's name says, and stop it; after it has just been stopped, wait a minute and check again"})
	}
	if len(a.in.Webhooks) > 0 && (webhook == nil || webhook.Ready == 0) {
		a.find(finding.Finding{Level: finding.Warning, Code: "webhook-down", Message: "KubeFed's webhook configurations are there, but no Pod of the Deployment " + KubeFedWebhook + " is ready: until they are removed, nothing of the control plane can be written",
			Do: "remove them, as the steps say"})
	}
}

func (a *analyzer) deployment(name string) *Deployment {
	for i := range a.in.Deployments {
		if a.in.Deployments[i].Name == name {
			return &a.in.Deployments[i]
		}
	}
	return nil
}

// String is ready/wanted; empty if there is none.
func (d *Deployment) String() string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("%d/%d", d.Ready, d.Want)
}

// steps are what to run, in order, for what is there.
func steps(in *Input, r *Report) []Step {
	a := analyzer{in: in}
	n := "kubectl -n " + in.Namespace + " "
	var out []Step
	add := func(why string, commands ...string) { out = append(out, Step{Why: why, Commands: commands}) }
	if !r.Ready {
		add("Mend what blocks, then run the check again.", "fedctl migrate check")
	}
	add("Save the control plane's objects. docs/kubefed.md has the command for the federated ones.",
		n+"get kubefedclusters,federatedtypeconfigs,kubefedconfigs -o yaml > kubefed-control-plane.yaml")
	if d := a.deployment(KubeFedController); d != nil && d.Want > 0 {
		add("Stop KubeFed's controller. Do not uninstall its chart: the FederatedTypeConfigs and the KubeFedConfig would go with it.",
			n+"scale deployment "+KubeFedController+" --replicas 0",
			n+"wait --for=delete pod -l kubefed-control-plane=controller-manager --timeout "+(2*time.Minute).String())
	}
	if len(in.Webhooks) > 0 {
		step := Step{Why: "Remove KubeFed's webhooks; fedctl's admission policies take their place."}
		for _, w := range in.Webhooks {
			step.Commands = append(step.Commands, "kubectl delete "+w.Resource+" "+w.Name)
		}
		out = append(out, step)
	}
	add("Install fedctl's controller. What exists stays as it is.", "fedctl install --image IMAGE")
	if len(in.Clusters) > 0 {
		step := Step{Why: "Join each member again, under its name: that brings its account, its token and its rights up to date. --rbac=admin keeps KubeFed's rights."}
		for i := range in.Clusters {
			step.Commands = append(step.Commands, "fedctl join "+in.Clusters[i].Name+" --cluster-context CONTEXT")
		}
		out = append(out, step)
	}
	add("Look.", "fedctl get clusters", "fedctl status -A")
	return out
}
