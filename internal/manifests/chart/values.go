package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/manifests"
)

// Value is a value of a chart.
type Value struct {
	// Path of it, at most two words.
	Path []string
	// Default is what it begins as.
	Default any
	// Schema it has to meet, without its description.
	Schema map[string]any
	// About it, in a sentence or two; empty where its group says it.
	About string
}

// Schemas that several values have.
func anyBool() map[string]any  { return map[string]any{"type": "boolean"} }
func anyText() map[string]any  { return map[string]any{"type": "string"} }
func anyMap() map[string]any   { return map[string]any{"type": "object"} }
func anyMaps() map[string]any  { return map[string]any{"type": "array", "items": anyMap()} }
func anyTexts() map[string]any { return map[string]any{"type": "array", "items": anyText()} }
func textMap() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": anyText()}
}
func oneOf(words ...string) map[string]any {
	return map[string]any{"type": "string", "enum": words}
}
func matching(pattern string) map[string]any {
	return map[string]any{"type": "string", "pattern": pattern}
}

// values are those of a control plane: d and fleet are what the manifests say, types are the
// default ones.
func values(d *defaults, fleet *fleetDefaults, types []string) []Value {
	list := []Value{
		{path("scope"), manifests.ScopeCluster, oneOf(manifests.Scopes...), "Cluster, or Namespaced: the release's namespace is then the only one that is federated. It cannot be changed later."},
		{path("configuration.hooks"), true, anyBool(), "Create KubeFedConfig and FederatedTypeConfigs as hooks, where they are not there: Helm never changes them again. With false they are objects of the release like others, for tools that render without asking the cluster (Argo CD) and keep them in Git."},
		{path("shared"), true, anyBool(), "Install what all control planes of a cluster share: roles and admission policies. Exactly one release in a cluster has it."},
		{path("image.repository"), d.imageRepository, matching("^[^@ ]+$"), "Where the controller's image is."},
		{path("image.tag"), "", anyText(), "Its tag; by default the chart's appVersion."},
		{path("image.digest"), "", matching("^(sha256:[0-9a-f]{64})?$"), "Its digest, which is then pulled whatever the tag is."},
		{path("image.pullPolicy"), "", oneOf("", "Always", "IfNotPresent", "Never"), "When it is pulled; by default Kubernetes decides."},
		{path("image.pullSecrets"), []any{}, anyMaps(), "Secrets to pull it with: a list of {name: NAME}."},
		{path("replicas"), d.replicas, map[string]any{"type": "integer", "minimum": 0}, "Pods of the controller, of which one leads."},
		{path("resources"), d.resources, anyMap(), "What the container asks for and may use. With more than a million objects times members, raise the memory and goMemLimit."},
		{path("goMemLimit"), d.goMemLimit, matching("^([0-9]+([KMGT]i)?B)?$"), "Go gives memory back before this: nine tenths of resources.limits.memory. Empty for none."},
		{path("nodeSelector"), map[string]any{}, textMap(), "Labels of the nodes that the controller may run on."},
		{path("tolerations"), []any{}, anyMaps(), "Taints that the controller tolerates."},
		{path("affinity"), map[string]any{}, anyMap(), "Where the controller rather runs."},
		{path("topologySpreadConstraints"), d.topologySpread, anyMaps(), "How its Pods are spread."},
		{path("priorityClassName"), "", anyText(), "PriorityClass of its Pods."},
		{path("podLabels"), map[string]any{}, textMap(), "Further labels of its Pods."},
		{path("podAnnotations"), map[string]any{}, textMap(), "Further annotations of its Pods."},
		{path("extraArgs"), []any{}, anyTexts(), "Further flags of the controller, such as --log-level=1. Those here win over those of the chart."},
		{path("extraEnv"), []any{}, anyMaps(), "Further environment variables of the controller."},
		{path("extraVolumes"), []any{}, anyMaps(), "Further volumes of its Pods, such as one for backup repositories that are directories."},
		{path("extraVolumeMounts"), []any{}, anyMaps(), "Where they are mounted."},
		{path("serviceAccount.annotations"), map[string]any{}, textMap(), "Annotations of the ServiceAccount, such as the identity that a cloud gives it."},
		{path("rbac.aggregateToUserRoles"), true, anyBool(), "Add the rights to federated objects to Kubernetes' roles admin, edit and view. Otherwise bind fedctl-edit and fedctl-view yourself."},
		{path("backups.enabled"), true, anyBool(), "Execute the Backups of the members."},
		{path("backups.cacheSizeLimit"), d.cacheSizeLimit, matching("^[0-9.]+([kMGTPE]i?)?$"), "How much the temporary files of backup repositories may take."},
		{path("metrics.enabled"), true, anyBool(), "Serve metrics, by TLS, and to who may get /metrics."},
		{path("podMonitor.enabled"), false, anyBool(), "Have the Prometheus operator collect the metrics: a PodMonitor, and an account with a token for it. Needs the operator's definitions."},
		{path("podMonitor.interval"), "30s", matching("^[0-9]+(ms|s|m|h)$"), "How often."},
		{path("podMonitor.labels"), map[string]any{}, textMap(), "Labels of the PodMonitor that your Prometheus selects by."},
		{path("prometheusRule.enabled"), false, anyBool(), "Have the Prometheus operator alert: a PrometheusRule. Needs the operator's definitions; docs/runbooks says what to do when one fires."},
		{path("prometheusRule.labels"), map[string]any{}, textMap(), "Labels of the PrometheusRule that your Prometheus selects by."},
		{path("dashboard.enabled"), false, anyBool(), "Bring a dashboard for Grafana: a ConfigMap that Grafana's sidecar finds."},
		{path("dashboard.labels"), map[string]any{"grafana_dashboard": "1"}, textMap(), "Labels of that ConfigMap that the sidecar selects by."},
		{path("networkPolicy.enabled"), true, anyBool(), "Let nobody reach the controller but for metrics and health."},
		{path("podDisruptionBudget.enabled"), true, anyBool(), "Keep one Pod while nodes are drained."},
	}
	list = append(list, fleetValues(fleet)...)
	for _, name := range types {
		list = append(list, Value{[]string{typesGroup, name}, true, anyBool(), ""})
	}
	return list
}

func fleetValues(d *fleetDefaults) []Value {
	return []Value{
		{path("fleetAPI.enabled"), false, anyBool(), "Serve the API of the fleet, through which users of the host reach the members that let them (fedctl join --fleet-access). A cluster has one."},
		{path("fleetAPI.replicas"), d.replicas, map[string]any{"type": "integer", "minimum": 0}, "Pods of it, which all serve."},
		{path("fleetAPI.resources"), d.resources, anyMap(), "What they ask for and may use."},
		{path("fleetAPI.goMemLimit"), d.goMemLimit, matching("^([0-9]+([KMGT]i)?B)?$"), "Go gives memory back before this: nine tenths of their limit. Empty for none."},
		{path("fleetAPI.extraArgs"), []any{}, anyTexts(), "Further flags of it, such as --fleet-api-max-requests=4000."},
		{path("fleetAPI.issuerRef"), map[string]any{}, anyMap(), "Have cert-manager issue its certificate: {name: NAME, kind: ClusterIssuer}. By default Helm makes one of ten years, and keeps it; for tools that render without asking the cluster (Argo CD), which would make one each time, name an issuer."},
	}
}

// typesGroup is the group of values with a switch for each default type.
const (
	typesGroup = "types"
	aboutTypes = "Which types are federated from the start. What is there already stays as it is: fedctl disable ends it."
)

func path(words string) []string { return strings.Split(words, ".") }

// valuesFile is values.yaml.
func valuesFile(list []Value) (string, error) {
	var b strings.Builder
	b.WriteString(Mark)
	if len(list) == 0 {
		b.WriteString("# This chart has no values.\n")
	}
	group := ""
	for _, v := range list {
		indent := ""
		if len(v.Path) > 1 {
			indent = "  "
			if v.Path[0] != group {
				b.WriteString("\n")
				if v.Path[0] == typesGroup {
					fmt.Fprintf(&b, "# %s\n", aboutTypes)
				}
				fmt.Fprintf(&b, "%s:\n", v.Path[0])
			}
			group = v.Path[0]
		} else {
			b.WriteString("\n")
			group = ""
		}
		key := map[string]any{v.Path[len(v.Path)-1]: v.Default}
		data, err := yaml.Marshal(key)
		if err != nil {
			return "", err
		}
		if v.About != "" {
			fmt.Fprintf(&b, "%s# %s\n", indent, v.About)
		}
		fmt.Fprintf(&b, "%s\n", indented(string(data), indent))
	}
	return b.String(), nil
}

// schemaFile is values.schema.json: nothing but what there is may be set. Helm itself
// adds "global" where the chart is part of another one.
func schemaFile(list []Value) (string, error) {
	properties := map[string]any{"global": anyMap()}
	for _, v := range list {
		schema := maps.Clone(v.Schema)
		if v.About != "" {
			schema["description"] = v.About
		}
		in := properties
		if len(v.Path) > 1 {
			group, ok := properties[v.Path[0]].(map[string]any)
			if !ok {
				group = map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{}}
				properties[v.Path[0]] = group
			}
			in, _ = group["properties"].(map[string]any)
		}
		in[v.Path[len(v.Path)-1]] = schema
	}
	data, err := json.MarshalIndent(map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "additionalProperties": false, "properties": properties,
	}, "", "  ")
	return string(data) + "\n", err
}

// table lists values in Markdown.
func table(list []Value) (string, error) {
	var b strings.Builder
	b.WriteString("| Value | Default | |\n| --- | --- | --- |\n")
	var types []string
	for _, v := range list {
		name := strings.Join(v.Path, ".")
		if v.Path[0] == typesGroup {
			types = append(types, "`"+v.Path[1]+"`")
			continue
		}
		data, err := json.Marshal(v.Default)
		if err != nil {
			return "", err
		}
		value := "`" + string(data) + "`"
		if len(data) > 60 {
			value = "see values.yaml"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, value, v.About)
	}
	fmt.Fprintf(&b, "| `%s` | each `true` | %s They are %s. |\n", typesGroup, aboutTypes, strings.Join(types, ", "))
	return b.String(), nil
}
