package chart

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/internal/manifests"
)

// placeholder is the namespace that the manifests are built for. It is in no other word.
const placeholder = "fedctl-chart-namespace"

// document is an object as a template, with what has to hold for it to be there.
type document struct {
	kind, text string
	// conditions are expressions.
	conditions []string
}

// kindConditions say which kinds are switched on and off as a whole.
var kindConditions = map[string]string{
	"NetworkPolicy":       "$.Values.networkPolicy.enabled",
	"PodDisruptionBudget": "$.Values.podDisruptionBudget.enabled",
	"Service":             "$.Values.metrics.enabled",
}

// printer turns objects into documents, and remembers what values begin as.
type printer struct {
	defaults *defaults
	types    []string
}

// print prints an object as it is in one scope.
func (p *printer) print(object *unstructured.Unstructured) (string, error) {
	h := &holes{}
	var around func(string) string
	switch kind := object.GetKind(); kind {
	case "Deployment":
		d, err := openDeployment(object, h)
		if err != nil {
			return "", err
		}
		p.defaults = d
	case "NetworkPolicy":
		if err := openNetworkPolicy(object, h); err != nil {
			return "", err
		}
	case "ServiceAccount":
		metadata, err := mapAt(object.Object, "metadata")
		if err != nil {
			return "", err
		}
		metadata["annotations"] = h.block("$.Values.serviceAccount.annotations")
	case "ClusterRole":
		if err := openAggregation(object, h); err != nil {
			return "", err
		}
	case "KubeFedConfig", "FederatedTypeConfig":
		var err error
		if around, err = p.openChoice(object, h); err != nil {
			return "", err
		}
	}
	text, err := h.print(object.Object)
	if err != nil {
		return "", err
	}
	if around != nil {
		text = around(text)
	}
	return inRelease(text), nil
}

// inRelease puts the release's namespace in the place of the one that was built for.
func inRelease(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if before, whole := strings.CutSuffix(line, ": "+placeholder); whole {
			lines[i] = before + ": {{ $.Release.Namespace | quote }}"
			continue
		}
		lines[i] = strings.ReplaceAll(line, "-"+placeholder, `{{ include "fedctl.suffix" $ }}`)
	}
	return strings.Join(lines, "\n")
}

func openNetworkPolicy(object *unstructured.Unstructured, h *holes) error {
	spec, err := mapAt(object.Object, "spec")
	if err != nil {
		return err
	}
	rules, _ := spec["ingress"].([]any)
	for _, item := range rules {
		if rule, ok := item.(map[string]any); ok {
			rule["ports"] = openPorts(rule["ports"], "port", h)
		}
	}
	return nil
}

// openAggregation lets a role not be added to Kubernetes' own.
func openAggregation(object *unstructured.Unstructured, h *holes) error {
	metadata, err := mapAt(object.Object, "metadata")
	if err != nil {
		return err
	}
	labels, _ := metadata["labels"].(map[string]any)
	aggregated := map[string]any{}
	for label, value := range labels {
		if strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-") {
			aggregated[label] = value
			delete(labels, label)
		}
	}
	if len(aggregated) == 0 {
		return nil
	}
	key, err := h.fieldsIf("$.Values.rbac.aggregateToUserRoles", aggregated)
	labels[key] = ""
	return err
}

// asHook makes Helm create an object before all others, and forget it: no upgrade,
// rollback or removal of the release touches it.
var asHook = map[string]any{
	"helm.sh/hook": "pre-install,pre-upgrade",
	// Any but the one by default, which deletes what is there first.
	"helm.sh/hook-delete-policy": "hook-failed",
}

// openChoice prepares an object that is the owner's choice once it is there: it is
// rendered where it is not.
func (p *printer) openChoice(object *unstructured.Unstructured, h *holes) (func(string) string, error) {
	const hooks = "$.Values.configuration.hooks"
	metadata, err := mapAt(object.Object, "metadata")
	if err != nil {
		return nil, err
	}
	hook, err := h.fieldsIf(hooks, asHook)
	if err != nil {
		return nil, err
	}
	kept, err := h.fieldsIf("not "+hooks, map[string]any{"helm.sh/resource-policy": "keep"})
	if err != nil {
		return nil, err
	}
	metadata["annotations"] = map[string]any{hook: "", kept: ""}
	wanted, chosen := "", `(include "fedctl.live" (list $ "`+object.GetKind()+`" "`+object.GetName()+`") | fromYaml)`
	if object.GetKind() == "FederatedTypeConfig" {
		p.types = append(p.types, object.GetName())
		wanted = `(index $.Values.types "` + object.GetName() + `") `
		chosen = `(or ` + chosen + ` (include "fedctl.disabled" (list $ "` + manifests.DefinitionOf(object) + `")))`
	} else {
		spec, err := mapAt(object.Object, "spec")
		if err != nil {
			return nil, err
		}
		spec["scope"] = h.scalar("$.Values.scope")
	}
	absent := `(not (and ` + hooks + ` ` + chosen + `))`
	return func(text string) string {
		return "{{- if and " + wanted + absent + " }}\n---\n" + text + "{{- end }}\n"
	}, nil
}

// objects are those of a control plane of a scope that its chart has: definitions are a
// chart of their own, and the namespace is the release's.
func objects(scope string) ([]*unstructured.Unstructured, error) {
	built, err := manifests.Build(manifests.Options{Namespace: placeholder, Scope: scope})
	if err != nil {
		return nil, err
	}
	var list []*unstructured.Unstructured
	for _, object := range built {
		if kind := object.GetKind(); kind != "CustomResourceDefinition" && kind != "Namespace" {
			list = append(list, object)
		}
	}
	return list, nil
}
