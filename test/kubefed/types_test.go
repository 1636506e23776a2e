package kubefed

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/test/kit"
)

// typeCase is one of KubeFed's default types, with fields to play with.
type typeCase struct {
	apiVersion, kind string
	template         string // YAML; every case also gets the labels below
	// field is a JSON pointer into the target; values are what it is set to, one after the other.
	field  string
	values [4]any
	// extra points to a field that is removed from the template by and by.
	extra string
}

const podTemplate = `{metadata: {labels: {app: it}}, spec: {restartPolicy: POLICY, containers: [{name: main, image: "registry.k8s.io/pause:3.10", env: [{name: A, value: "1"}]}]}}`

func pods(policy string) string { return strings.ReplaceAll(podTemplate, "POLICY", policy) }

var typeCases = []typeCase{
	{"v1", "Namespace", `{}`, "/metadata/labels/step", [4]any{"1", "2", "3", "4"}, "/metadata/labels/extra"},
	{"v1", "ConfigMap", `{data: {main: one, extra: x}}`, "/data/main", [4]any{"one", "two", "three", "four"}, "/data/extra"},
	{"v1", "Secret", `{type: Opaque, data: {main: MQ==, extra: eA==}}`, "/data/main", [4]any{"MQ==", "Mg==", "Mw==", "NA=="}, "/data/extra"},
	{
		"v1", "Service", `{spec: {type: NodePort, selector: {app: it}, publishNotReadyAddresses: true, ports: [{name: http, port: 80, targetPort: 8001}]}}`,
		"/spec/ports/0/targetPort", [4]any{int64(8001), int64(8002), int64(8003), int64(8004)}, "/spec/publishNotReadyAddresses",
	},
	{"v1", "ServiceAccount", `{automountServiceAccountToken: false}`, "/metadata/labels/step", [4]any{"1", "2", "3", "4"}, "/automountServiceAccountToken"},
	{
		"apps/v1", "Deployment", `{spec: {replicas: 1, minReadySeconds: 1, selector: {matchLabels: {app: it}}, template: ` + pods("Always") + `}}`,
		"/spec/replicas", [4]any{int64(1), int64(2), int64(3), int64(1)}, "/spec/minReadySeconds",
	},
	{
		"apps/v1", "ReplicaSet", `{spec: {replicas: 1, minReadySeconds: 1, selector: {matchLabels: {app: it}}, template: ` +
			strings.ReplaceAll(pods("Always"), "app: it", "app: it, set: it") + `}}`,
		"/spec/replicas", [4]any{int64(1), int64(2), int64(3), int64(1)}, "/spec/minReadySeconds",
	},
	{
		"batch/v1", "Job", `{spec: {suspend: true, parallelism: 1, activeDeadlineSeconds: 600, manualSelector: true, selector: {matchLabels: {app: it}}, template: ` +
			pods("Never") + `}}`,
		"/spec/parallelism", [4]any{int64(1), int64(2), int64(3), int64(4)}, "/spec/activeDeadlineSeconds",
	},
	{
		"networking.k8s.io/v1", "Ingress", `{spec: {ingressClassName: x, defaultBackend: {service: {name: one, port: {number: 80}}}}}`,
		"/spec/defaultBackend/service/name", [4]any{"one", "two", "three", "four"}, "/spec/ingressClassName",
	},
	{
		"rbac.authorization.k8s.io/v1", "ClusterRole", `{rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}`,
		"/rules/0/verbs", [4]any{list{"get"}, list{"list"}, list{"watch"}, list{"get"}}, "/metadata/labels/extra",
	},
}

// object is one federated object of a case, and what it stands for.
type object struct {
	typeCase
	federated, target ref
}

// named returns the object of the case with the name; namespaced ones are in
// the namespace, and a Namespace is it.
func (c typeCase) named(namespace, name string) object {
	switch c.kind {
	case "Namespace":
		return object{c, federatedRef("FederatedNamespace", namespace, namespace), named("v1", "Namespace", "", namespace)}
	case "ClusterRole":
		name = namespace + "-" + name
		return object{c, federatedRef("FederatedClusterRole", "", name), named(c.apiVersion, c.kind, "", name)}
	}
	return object{c, federatedRef("Federated"+c.kind, namespace, name), named(c.apiVersion, c.kind, namespace, name)}
}

// manifest is the federated object as it is created: in both members, with an
// override in the second one.
func (o object) manifest(name string) *unstructured.Unstructured {
	template := fields{}
	if err := yaml.Unmarshal([]byte(o.template), &template); err != nil {
		panic(fmt.Sprintf("template of %s: %v", o.kind, err)) // a mistake in the table above
	}
	if o.kind == "Job" && o.target.Namespace == quiet { // as people write Jobs; KubeFed can create but not update these
		spec, _ := template["spec"].(fields)
		delete(spec, "manualSelector")
		delete(spec, "selector")
	}
	labels := fields{"keep": "it", "first": "x", "second": "x", "step": "1"}
	if o.extra == "/metadata/labels/extra" {
		labels["extra"] = "x"
	}
	template["metadata"] = fields{"labels": labels}
	u := &unstructured.Unstructured{Object: fields{"spec": fields{
		"template":  template,
		"placement": fields{"clusterSelector": fields{}},
		"overrides": list{fields{"clusterName": name, "clusterOverrides": list{fields{"path": "/metadata/labels/keep", "value": "overridden"}}}},
	}}}
	u.Object = runtime.DeepCopyJSON(plain(u.Object))
	u.SetGroupVersionKind(o.federated.GroupVersionKind)
	u.SetNamespace(o.federated.Namespace)
	u.SetName(o.federated.Name)
	return u
}

// plain turns the numbers of YAML into those of the API's JSON.
func plain(value any) fields {
	out, _ := kit.Plain(value).(fields)
	return out
}
