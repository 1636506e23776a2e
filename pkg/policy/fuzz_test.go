package policy

import (
	"maps"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/workload"
)

// everyRule has all that a rule can do to pods, in a form that no template prevents.
const everyRule = `{deriveTolerations: {requireNodes: true}, tolerations: [{key: a}], images: [{tag: b}], env: [{name: c}], envFrom: [{secretRef: {name: s}}],
 volumes: [{name: d}], volumeMounts: [{name: d, mountPath: /d}], sidecars: [{name: e}], initContainers: [{name: f}], resources: {limits: {cpu: 1}},
 nodeSelector: {g: h}, priorityClassName: p, schedulerName: s, runtimeClassName: r}`

func ruleFrom(text string) (*Policy, bool) {
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, false
	}
	rule := map[string]any{}
	if utiljson.Unmarshal(data, &rule) != nil {
		return nil, false
	}
	p, _ := Read(&unstructured.Unstructured{Object: map[string]any{"kind": KindClusterOverridePolicy, "metadata": map[string]any{"name": "p"}, "spec": map[string]any{"rules": []any{rule}}}})
	return p, true
}

// Whatever the template and its kind are, a rule does not panic, does not modify what it is
// given, and touches nothing but pod templates.
func FuzzModify(f *testing.F) {
	f.Add("apps", "Deployment", `{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"b","resources":{"limits":{"nvidia.com/gpu":"1"}}}]}}}}`)
	f.Add("apps", "Deployment", `{"spec":{"template":{"spec":{"containers":{},"initContainers":[1,null],"tolerations":"x","affinity":[]}}}}`)
	f.Add("apps", "Deployment", `{"spec":{"template":{"spec":{"containers":[{"name":1,"image":2,"env":3,"volumeMounts":{},"resources":[]}]}}},"metadata":4}`)
	f.Add("batch", "CronJob", `{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"env":[{"name":"c"},7]}],"volumes":[{"name":["d"]}]}}}}}}`)
	f.Add("ray.io", "RayCluster", `{"spec":{"headGroupSpec":{"template":{"spec":{}}},"workerGroupSpecs":[{"template":{"spec":{"containers":[null,{"resources":{"requests":{"amd.com/gpu":1.5}}}]}}},3]}}`)
	f.Add("jobset.x-k8s.io", "JobSet", `{"spec":{"replicatedJobs":{"a":{"template":{"spec":{"template":{"spec":{"affinity":{"nodeAffinity":7}}}}}}}}}`)
	f.Add("", "Pod", `{"spec":{"nodeSelector":[1],"priority":5}}`)
	p, _ := ruleFrom(everyRule)
	if p.Problem() != nil {
		f.Fatal(p.Problem())
	}
	f.Fuzz(func(t *testing.T, group, kind, text string) {
		tree := map[string]any{}
		if utiljson.Unmarshal([]byte(text), &tree) != nil {
			return
		}
		before, target := textOfTree(tree), schema.GroupKind{Group: group, Kind: kind}
		for _, layer := range Layers([]*Policy{p}, NewObject(workload.Builtin(), target, "", "", nil), tree, fleetOfOne) {
			changed, _, err := layer.Modifier.Modify("one", tree)
			if textOfTree(tree) != before {
				t.Fatalf("%s became %s", before, textOfTree(tree))
			}
			if err != nil {
				continue
			}
			if one, other := textOfTree(withoutPods(changed, target)), textOfTree(withoutPods(tree, target)); one != other {
				t.Errorf("%s became %s", other, one)
			}
		}
	})
}

func textOfTree(tree map[string]any) string { return text(tree) }

// withoutPods is an object whose pod templates are empty.
func withoutPods(tree map[string]any, kind schema.GroupKind) map[string]any {
	out, err := workload.Edit(tree, workload.Builtin().PodTemplates(kind), func(spec map[string]any, _ string) error {
		clear(spec)
		return nil
	})
	if err != nil {
		return nil
	}
	return out
}

// Whatever a rule says, it is compiled or refused, and does to a template what it says or
// says why not: nobody panics, and what was given is not modified.
func FuzzRule(f *testing.F) {
	for _, rule := range []string{
		everyRule,
		`{clusters: {kubernetesVersion: ">=1.30", accelerator: nvidia.com/gpu, labelSelector: {matchLabels: {a: b}}}, replicas: 3, labels: {a: b}, annotations: {c: d}}`,
		`{patches: [{op: add, path: /spec/replicas, value: 3}, {path: /a/0, in: {path: /metadata/annotations/x, format: YAML}}, {op: remove, path: /b~1c, in: {path: /d, format: JSON}}]}`,
		`{containers: [train, nobody], command: [a], args: [b], images: [{from: "x", registry: "y:1", digest: "sha256:00"}]}`,
		`{volumes: [{}, 7], sidecars: [{name: 7}], initContainers: [null]}`,
		`{deriveTolerations: {approve: [{key: "", effect: ""}]}, tolerations: [{}]}`,
	} {
		f.Add(rule, `{"spec":{"template":{"spec":{"containers":[{"name":"train","image":"a","resources":{"limits":{"nvidia.com/gpu":1}}}]}}}}`)
	}
	f.Add(`{labels: {a: b}, annotations: {c: d}}`, ` `)
	f.Fuzz(func(t *testing.T, rule, template string) {
		p, ok := ruleFrom(rule)
		if !ok {
			return
		}
		data, err := yaml.YAMLToJSON([]byte(template))
		tree := map[string]any{}
		if err != nil || utiljson.Unmarshal(data, &tree) != nil {
			return
		}
		before := textOfTree(tree)
		layers := Layers([]*Policy{p, p}, NewObject(workload.Builtin(), deployments, "", "", nil), tree, fleetOfOne)
		for _, cluster := range []string{"one", "new", "unknown"} {
			steps, err := through(layers, cluster, tree)
			if err == nil {
				_ = contests(steps)
			}
		}
		_ = Effects(layers, tree, []string{"one", "new", "unknown"})
		if textOfTree(tree) != before {
			t.Errorf("%s became %s", before, textOfTree(tree))
		}
	})
}

// Whatever an object is, a change of its pod templates is made on copies, and what is between
// them and the object is as it was.
func FuzzWorkloadKinds(f *testing.F) {
	f.Add("apps", "Deployment", `{"spec":{"template":{"spec":{}}}}`)
	f.Add("kubeflow.org", "PyTorchJob", `{"spec":{"pytorchReplicaSpecs":{"Master":{"template":{"spec":{}}},"Worker":[]}}}`)
	f.Add("", "Pod", `{"spec":null}`)
	f.Fuzz(func(t *testing.T, group, kind, text string) {
		tree := map[string]any{}
		if utiljson.Unmarshal([]byte(text), &tree) != nil {
			return
		}
		before, target := textOfTree(tree), schema.GroupKind{Group: group, Kind: kind}
		met := 0
		changed, err := workload.Edit(tree, workload.Builtin().PodTemplates(target), func(spec map[string]any, at string) error {
			met++
			maps.Copy(spec, map[string]any{"met": at})
			return nil
		})
		if err != nil || textOfTree(tree) != before {
			t.Fatalf("%s became %s, %v", before, textOfTree(tree), err)
		}
		if met == 0 && textOfTree(changed) != before {
			t.Errorf("%s became %s without a pod template", before, textOfTree(changed))
		}
		if one, other := textOfTree(withoutPods(changed, target)), textOfTree(withoutPods(tree, target)); one != other {
			t.Errorf("%s became %s", other, one)
		}
	})
}
