package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	fedctlv1alpha1 "github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

func read(t *testing.T, text string) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := utiljson.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// policyOf reads a ClusterOverridePolicy from its spec.
func policyOf(t *testing.T, spec string) *Policy {
	t.Helper()
	p, _ := Read(&unstructured.Unstructured{Object: map[string]any{
		"kind": KindClusterOverridePolicy, "metadata": map[string]any{"name": "p"}, "spec": read(t, spec),
	}})
	return p
}

var deployments = schema.GroupKind{Group: "apps", Kind: "Deployment"}

const gpuWorkload = `
metadata: {name: train}
spec:
  replicas: 2
  template:
    spec:
      initContainers: [{name: fetch, image: "busybox:1.36"}]
      containers:
      - {name: train, image: "registry.example/ml/train:1.2@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", env: [{name: A, value: "1"}], resources: {limits: {nvidia.com/gpu: 4}}}
      - {name: log, image: "fluentd"}
      tolerations: [{key: mine, operator: Exists}]
`

var fleetOfOne = NewFleet(Clusters{"one": {Known: true, KubernetesVersion: "v1.36.3-gke.1200", Labels: map[string]string{"region": "eu"}, Pools: []clusterv1alpha1.Pool{
	{Resource: "nvidia.com/gpu", Product: "A100", ProductLabel: "nvidia.com/gpu.product", Nodes: 4, LargestNode: resource.MustParse("8"),
		Taints: []clusterv1alpha1.PoolTaint{{Key: "nvidia.com/gpu", Value: "present", Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintHardware}}},
	{Resource: "nvidia.com/gpu", Product: "H100", ProductLabel: "nvidia.com/gpu.product", Nodes: 2, LargestNode: resource.MustParse("8"),
		Taints: []clusterv1alpha1.PoolTaint{{Key: "dedicated", Value: "research", Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintRestricted}}},
}}, "new": {}})

// made is what a policy makes of an object in a cluster.
func made(t *testing.T, p *Policy, object, cluster string) (map[string]any, []string, error) {
	t.Helper()
	tree := read(t, object)
	before, _ := json.Marshal(tree)
	var notes []federate.Note
	for _, layer := range Layers([]*Policy{p}, NewObject(workload.Builtin(), deployments, "", "train", nil), tree, fleetOfOne) {
		changed, said, err := layer.Modifier.Modify(cluster, tree)
		if after, _ := json.Marshal(tree); len(notes) == 0 && string(after) != string(before) {
			t.Errorf("the object was modified:\n%s\n%s", before, after)
		}
		if err != nil {
			return nil, nil, err
		}
		tree, notes = changed, append(notes, said...)
		before, _ = json.Marshal(tree)
	}
	return tree, federate.NotesThatHold(notes, tree), nil
}

func pod(tree map[string]any) map[string]any {
	spec, _, _ := unstructured.NestedMap(tree, "spec", "template", "spec")
	return spec
}

func TestRules(t *testing.T) {
	tests := []struct {
		name, rule string
		cluster    string
		// has and lacks are parts of the pod's spec, or of the object, as JSON.
		has, lacks []string
		notes      string
		fault      string
	}{
		{name: "tolerations are added once", rule: `tolerations: [{key: mine, operator: Exists}, {key: spot, value: "true", effect: NoSchedule}]`,
			has: []string{`"tolerations":[{"key":"mine","operator":"Exists"},{"effect":"NoSchedule","key":"spot","value":"true"}]`}},
		{name: "derived", rule: `deriveTolerations: {}`,
			has:   []string{`{"effect":"NoSchedule","key":"nvidia.com/gpu","operator":"Exists"}`},
			lacks: []string{"research", "affinity"},
			notes: `the pool nvidia.com/gpu H100 is closed to it by dedicated=research:NoSchedule; what would open it is spec.rules[0].deriveTolerations.approve: [{key: dedicated, value: "research", effect: NoSchedule}]`},
		{name: "derived, with an approval and kept to the nodes", rule: `deriveTolerations: {requireNodes: true, approve: [{key: dedicated, value: research, effect: NoSchedule}]}`,
			has: []string{`{"effect":"NoSchedule","key":"dedicated","operator":"Equal","value":"research"}`,
				`"nodeSelectorTerms":[{"matchExpressions":[{"key":"nvidia.com/gpu.product","operator":"In","values":["A100","H100"]}]}]`}},
		{name: "nodes that were never read", rule: `deriveTolerations: {}`, cluster: "new", fault: "spec.rules[0].deriveTolerations: the nodes of cluster new have not been read yet"},
		{name: "nodes that were never read, and are asked for", rule: "clusters: {accelerator: nvidia.com/gpu}\n  replicas: 1", cluster: "new", fault: "the nodes of cluster new have not been read yet"},
		{name: "another cluster's rule", rule: "clusters: {labelSelector: {matchLabels: {region: us}}}\n  replicas: 7", has: []string{`"replicas":2`}},
		{name: "by label and product", rule: "clusters: {labelSelector: {matchLabels: {region: eu}}, product: A100}\n  replicas: 7", has: []string{`"replicas":7`}},
		{name: "registry of all images", rule: `images: [{registry: "mirror.example:5000"}]`,
			has: []string{`"mirror.example:5000/library/busybox:1.36"`, `"mirror.example:5000/library/fluentd"`, `"mirror.example:5000/ml/train:1.2@sha256:0123`}},
		{name: "tag of one image", rule: `images: [{from: registry.example/ml/train, tag: "2.0"}]`, has: []string{`"registry.example/ml/train:2.0"`, `"fluentd"`, `"busybox:1.36"`}},
		{name: "digest", rule: "containers: [log]\n  images: [{digest: \"sha256:" + strings.Repeat("ab", 32) + "\"}]", has: []string{`"fluentd@sha256:abab`, `"busybox:1.36"`}},
		{name: "a tag that is none", rule: `images: [{tag: "a b"}]`, fault: "spec.rules[0].images[0].tag: is no tag"},
		{name: "env of all containers", rule: `env: [{name: A, value: "2"}, {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}]`,
			has: []string{`"env":[{"name":"A","value":"2"},{"name":"B","valueFrom":{"secretKeyRef":{"key":"k","name":"s"}}}]`}},
		{name: "a container that is not there", rule: "containers: [nobody]\n  env: [{name: A}]", fault: `spec.rules[0].containers[0]: the object has no container "nobody"`},
		{name: "volume, mount and sidecar", rule: "volumes: [{name: creds, secret: {secretName: s}}]\n  volumeMounts: [{name: creds, mountPath: /creds}]\n  sidecars: [{name: proxy, image: p}]",
			has: []string{`"volumes":[{"name":"creds","secret":{"secretName":"s"}}]`, `"volumeMounts":[{"mountPath":"/creds","name":"creds"}]`, `{"image":"p","name":"proxy"}]`}},
		{name: "a name that is taken", rule: `sidecars: [{name: log, image: other}]`, fault: "spec.rules[0].sidecars[0].name: there is another one of this name in spec.template.spec.containers"},
		{name: "init containers come first", rule: `initContainers: [{name: setup, image: i}]`, has: []string{`"initContainers":[{"image":"i","name":"setup"},{"image":"busybox:1.36","name":"fetch"}]`}},
		{name: "resources", rule: "containers: [log]\n  resources: {requests: {cpu: 100m}, limits: {memory: 1Gi}}", has: []string{`"limits":{"memory":"1Gi"},"requests":{"cpu":"100m"}`, `"limits":{"nvidia.com/gpu":4}`}},
		{name: "scalars and a selector", rule: "nodeSelector: {a: b}\n  priorityClassName: high\n  schedulerName: volcano\n  runtimeClassName: nvidia",
			has: []string{`"nodeSelector":{"a":"b"}`, `"priorityClassName":"high"`, `"schedulerName":"volcano"`, `"runtimeClassName":"nvidia"`}},
		{name: "labels and annotations of the object", rule: "labels: {team: ml}\n  annotations: {x: \"y\"}", has: []string{`"annotations":{"x":"y"},"labels":{"team":"ml"}`}},
		{name: "patches", rule: `patches: [{op: add, path: /spec/paused, value: true}]`, has: []string{`"paused":true`}},
		{name: "a patch of nothing", rule: `patches: [{op: remove, path: /spec/nothing}]`, fault: "spec.rules[0].patches[0].path"},
		{name: "env of fields and resources", rule: "containers: [train]\n  env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}, {name: CPUS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}, {name: MODE, valueFrom: {configMapKeyRef: {name: c, key: mode}}}]",
			has: []string{`{"name":"NODE","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}}`, `"resourceFieldRef":{"divisor":"0","resource":"limits.cpu"}`, `{"name":"MODE","valueFrom":{"configMapKeyRef":{"key":"mode","name":"c"}}}`, `{"image":"fluentd","name":"log"}`}},
		{name: "env from a ConfigMap and a Secret, once", rule: "containers: [log]\n  envFrom: [{configMapRef: {name: c}}, {prefix: S_, secretRef: {name: s}}, {configMapRef: {name: c}}]",
			has: []string{`"envFrom":[{"configMapRef":{"name":"c"}},{"prefix":"S_","secretRef":{"name":"s"}}],"image":"fluentd"`}},
		{name: "a native sidecar", rule: `initContainers: [{name: proxy, image: p, restartPolicy: Always}]`, has: []string{`"initContainers":[{"image":"p","name":"proxy","restartPolicy":"Always"},{"image":"busybox:1.36","name":"fetch"}]`}},
		{name: "command and args", rule: "containers: [fetch]\n  command: [sh, -c]\n  args: [\"true\"]", has: []string{`{"args":["true"],"command":["sh","-c"],"image":"busybox:1.36","name":"fetch"}`}},
		{name: "a volume of a name that is taken", rule: "volumes: [{name: a, emptyDir: {}}, {name: a, secret: {secretName: s}}]", fault: "spec.rules[0].volumes[1].name: there is another one of this name in spec.template.spec.volumes"},
		{name: "a path that is taken", rule: "volumeMounts: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]", fault: `spec.rules[0].volumeMounts[1].mountPath: container "fetch" has something else mounted there`},
		{name: "an image without a tag", rule: "containers: [log]\n  images: [{registry: mirror.example}]", has: []string{`"mirror.example/library/fluentd"`},
			notes: `container "log": its image has no tag and no digest, so each pull may bring another one`},
		{name: "a resource that no cluster has", rule: "containers: [log]\n  resources: {limits: {amd.com/gpu: 1}}\n- deriveTolerations: {}", notes: "the pool nvidia.com/gpu H100 is closed to it by dedicated=research:NoSchedule; what would open it is spec.rules[1].deriveTolerations.approve: [{key: dedicated, value: \"research\", effect: NoSchedule}]\nno node offers 1 of amd.com/gpu: its pods cannot run there"},
		{name: "by version", rule: "clusters: {kubernetesVersion: \">=1.34, <1.37\"}\n  replicas: 7", has: []string{`"replicas":7`}},
		{name: "by a version that is none of it", rule: "clusters: {kubernetesVersion: \">=1.37\"}\n  replicas: 7", has: []string{`"replicas":2`}},
		{name: "by a version that is not known", rule: "clusters: {kubernetesVersion: \">=1.37\"}\n  replicas: 7", cluster: "new", fault: "spec.rules[0].clusters: the version of cluster new is not known yet"},
		{name: "by no range of versions", rule: "clusters: {kubernetesVersion: new}\n  replicas: 7", fault: "spec.rules[0].clusters.kubernetesVersion: is no range of versions"},
		{name: "a patch of a YAML document", rule: "patches: [{op: add, path: /metadata/annotations, value: {x: \"a:\\n  b: 1\\n\"}}, {in: {path: /metadata/annotations/x, format: YAML}, op: replace, path: /a/b, value: 2}, {in: {path: /metadata/annotations/x, format: YAML}, op: add, path: /kind, value: Config}]",
			has: []string{`"annotations":{"x":"a:\n  b: 2\nkind: Config\n"}`}},
		{name: "a patch of a JSON list", rule: "annotations: {x: '[1]'}\n  patches: [{in: {path: /metadata/annotations/x, format: JSON}, op: add, path: /-, value: 2}]", has: []string{`"annotations":{"x":"[1,2]"}`}},
		{name: "a patch of several documents", rule: "annotations: {x: \"a: 1\\n---\\nb: 2\\n\"}\n  patches: [{in: {path: /metadata/annotations/x, format: YAML}, path: /a, value: 2}]", fault: "spec.rules[0].patches[0].in: the string holds several YAML documents"},
		{name: "a patch of no document", rule: "patches: [{op: add, path: /spec/paused, value: true}, {in: {path: /metadata/annotations/x, format: YAML}, path: /a, value: 2}]", fault: "spec.rules[0].patches[1].in.path: leads to no string of the object"},
		{name: "a patch of nothing in a document", rule: "annotations: {x: '{\"a\":1}'}\n  patches: [{in: {path: /metadata/annotations/x, format: JSON}, op: add, path: /b, value: 1}, {in: {path: /metadata/annotations/x, format: JSON}, op: remove, path: /c}]", fault: "spec.rules[0].patches[1].path: there is no /c to remove"},
		{name: "a toleration of everything", rule: `tolerations: [{operator: Exists}]`, fault: "spec.rules[0].tolerations[0].key"},
		{name: "a command for all containers", rule: `command: [sleep]`, fault: "spec.rules[0].containers: must name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cluster := tt.cluster
			if cluster == "" {
				cluster = "one"
			}
			tree, notes, err := made(t, policyOf(t, "rules:\n- "+tt.rule), gpuWorkload, cluster)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Fatalf("got %v, want %s", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			data, _ := json.Marshal(tree)
			for _, part := range tt.has {
				if !strings.Contains(string(data), part) {
					t.Errorf("has no %s:\n%s", part, data)
				}
			}
			for _, part := range tt.lacks {
				if strings.Contains(string(data), part) {
					t.Errorf("has %s:\n%s", part, data)
				}
			}
			if tt.notes != "" && strings.Join(notes, "\n") != tt.notes {
				t.Errorf("got notes\n%s\nwant\n%s", strings.Join(notes, "\n"), tt.notes)
			}
		})
	}
}

// A pod that asks for none of a resource gets nothing, and no node has to be known for it.
func TestNothingIsDerivedForOthers(t *testing.T) {
	for _, limits := range []string{`{}`, `{nvidia.com/gpu: 0}`, `{cpu: 1}`} {
		tree, _, err := made(t, policyOf(t, "rules: [{deriveTolerations: {requireNodes: true}}]"),
			`{spec: {template: {spec: {containers: [{name: web, resources: {limits: `+limits+`}}]}}}}`, "new")
		if err != nil || pod(tree)["tolerations"] != nil || pod(tree)["affinity"] != nil {
			t.Errorf("%s: got %v, %v", limits, tree, err)
		}
	}
}

func TestSelects(t *testing.T) {
	web := NewObject(workload.Builtin(), deployments, "shop", "web", map[string]string{"gpu": "yes"})
	for spec, want := range map[string]bool{
		`rules: [{replicas: 1}]`: true,
		`{selectors: [{kind: Deployment, group: apps, names: [web], namespaces: [shop], labelSelector: {matchLabels: {gpu: "yes"}}}], rules: [{replicas: 1}]}`: true,
		`{selectors: [{kind: Job}, {names: [web]}], rules: [{replicas: 1}]}`:                                                                                   true,
		`{selectors: [{kind: Job}], rules: [{replicas: 1}]}`:                                                                                                   false,
		`{selectors: [{namespaces: [other]}], rules: [{replicas: 1}]}`:                                                                                         false,
		`{selectors: [{labelSelector: {matchLabels: {gpu: "no"}}}], rules: [{replicas: 1}]}`:                                                                   false,
	} {
		if got := policyOf(t, spec).Selects(web); got != want {
			t.Errorf("%s: got %t", spec, got)
		}
	}
	all := policyOf(t, `rules: [{labels: {a: b}}]`)
	if all.Selects(Object{Target: schema.GroupKind{Kind: "ConfigMap"}}) {
		t.Error("without selectors, what has no pods is selected")
	}
	all.Origin.Namespace = "shop"
	all.selectors = []selector{{}}
	if !all.Selects(web) || all.Selects(NewObject(workload.Builtin(), deployments, "other", "", nil)) || all.Selects(Object{Target: namespaceKind, Namespace: "shop", Name: "shop"}) {
		t.Error("a policy of a namespace selects what is in it, not elsewhere, and not the namespace itself")
	}
}

// What a policy selects that cannot be carried out is left as it is, not as if there were none.
func TestABrokenPolicyHoldsWhatItSelects(t *testing.T) {
	p := policyOf(t, `{selectors: [{labelSelector: {matchExpressions: [{key: a, operator: Near}]}}], rules: [{replicas: 1}]}`)
	if p.Problem() == nil || !strings.Contains(p.Problem().Error(), "spec.selectors[0].labelSelector") {
		t.Fatalf("got %v", p.Problem())
	}
	if _, _, err := made(t, p, gpuWorkload, "one"); err == nil {
		t.Error("the object is made without the policy")
	}
}

// A path that no object can have is told of the policy, once, and not of each object.
func TestPathsThatAreNone(t *testing.T) {
	for patches, want := range map[string]string{
		"[{path: /spec/paused, value: true}, {path: spec/replicas, value: 1}]": `spec.rules[0].patches[1].path: "spec/replicas" must start with /, e.g. /spec/replicas`,
		"[{path: /kind, value: Pod}]":                                          "spec.rules[0].patches[0].path: /kind cannot be overridden: the type is the same in every cluster",
		"[{path: /metadata/name, value: a}]":                                   "spec.rules[0].patches[0].path: /metadata/name cannot be overridden",
		"[{path: /metadata, value: {}}]":                                       "spec.rules[0].patches[0].path: /metadata cannot be overridden as a whole",
		"[{path: /a, in: {path: /kind, format: YAML}}]":                        "spec.rules[0].patches[0].in.path: /kind cannot be overridden",
		"[{path: /spec/a}, {path: /b, in: {path: /c, format: YAML}}, {path: x, in: {path: /c, format: YAML}}]": `spec.rules[0].patches[2].path: "x" must start with /`,
		"[{path: /kind, value: a, in: {path: /data/a, format: YAML}}, {op: remove, path: /spec/nothing}]":      "",
	} {
		problem := policyOf(t, "rules: [{patches: "+patches+"}]").Problem()
		if (want == "") != (problem == nil) || want != "" && !strings.HasPrefix(problem.Error(), want) {
			t.Errorf("%s: got %v", patches, problem)
		}
	}
}

// The revision changes with what the object depends on, and with nothing else.
func TestRevision(t *testing.T) {
	p := policyOf(t, "rules: [{deriveTolerations: {}}]")
	revision := func(template string, clusters *Fleet) federate.Revision {
		intent := federate.IntentOf(&federate.Object{Template: read(t, template)}, nil, nil)
		return intent.Beneath(Layers([]*Policy{p}, NewObject(workload.Builtin(), deployments, "", "", nil), read(t, template), clusters)...).Revision()
	}
	with := func(change func(*clusterv1alpha1.Pool)) *Fleet {
		one := fleetOfOne.clusters["one"]
		pools := append([]clusterv1alpha1.Pool{}, one.Pools...)
		change(&pools[0])
		return NewFleet(Clusters{"one": {Known: true, Labels: one.Labels, Pools: pools}, "new": {}})
	}
	was := revision(gpuWorkload, fleetOfOne)
	if revision(gpuWorkload, with(func(p *clusterv1alpha1.Pool) {
		p.Nodes, p.AvailableNodes, p.Allocatable = 9, 9, resource.MustParse("72")
	})) != was {
		t.Error("the number of nodes matters")
	}
	if revision(gpuWorkload, with(func(p *clusterv1alpha1.Pool) { p.Taints = nil })) == was {
		t.Error("a taint that is gone does not matter")
	}
	const web = `{spec: {template: {spec: {containers: [{name: web}]}}}}`
	if revision(web, fleetOfOne) != revision(web, with(func(p *clusterv1alpha1.Pool) { p.Taints = nil })) {
		t.Error("a taint matters to what asks for no accelerator")
	}
}

// What is wrong with a patch of a Secret names none of its keys.
func TestPatchesOfSecretsNameNoKeys(t *testing.T) {
	p := policyOf(t, `{selectors: [{kind: Secret}], rules: [{patches: [{in: {path: /stringData/app, format: YAML}, op: remove, path: /missing}]}]}`)
	tree := read(t, `{stringData: {app: "password: hunter2"}}`)
	for _, layer := range Layers([]*Policy{p}, Object{Target: secretKind}, tree, fleetOfOne) {
		_, _, err := layer.Modifier.Modify("one", tree)
		if err == nil || strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "missing") {
			t.Errorf("got %v", err)
		}
	}
}

// A pod that claims devices does not say of which class: all pools of devices that hardware
// alone closes are opened to it.
func TestDerivedForClaims(t *testing.T) {
	hardware := []clusterv1alpha1.PoolTaint{{Key: "nvidia.com/gpu", Value: "present", Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintHardware}}
	devices := clusterv1alpha1.Pool{Resource: clusterv1alpha1.DeviceClassPrefix + "gpu.nvidia.com", Product: "H100", Nodes: 1, LargestNode: resource.MustParse("2"), Taints: hardware}
	const workload = `{spec: {template: {spec: {resourceClaims: [{name: gpu, resourceClaimTemplateName: gpu}], containers: [{name: a, resources: {claims: [{name: gpu}]}}]}}}}`
	p := policyOf(t, `rules: [{deriveTolerations: {requireNodes: true}}]`)
	tree := read(t, workload)
	for _, tt := range []struct {
		pools []clusterv1alpha1.Pool
		has   string
		notes string
	}{
		{[]clusterv1alpha1.Pool{devices}, `"tolerations":[{"effect":"NoSchedule","key":"nvidia.com/gpu","operator":"Exists"}]`, ""},
		{nil, "resourceClaims", "no node offers devices that can be claimed: its pods cannot run there"},
	} {
		fleet := NewFleet(Clusters{"one": {Known: true, Pools: tt.pools}})
		for _, layer := range Layers([]*Policy{p}, Object{Target: deployments}, tree, fleet) {
			changed, notes, err := layer.Modifier.Modify("one", tree)
			if err != nil || !strings.Contains(text(changed), tt.has) || strings.Contains(text(changed), "affinity") || strings.Join(federate.NotesThatHold(notes, changed), "") != tt.notes {
				t.Errorf("got %s, %q, %v", text(changed), federate.NotesThatHold(notes, changed), err)
			}
		}
	}
}

// Devices that were never read are not none: pods that claim some stay as they are. Those that
// were read once are known, whatever their condition says.
func TestDevicesThatWereNeverRead(t *testing.T) {
	const claims = `
spec:
  template:
    spec:
      containers: [{name: main, image: m}]
      resourceClaims: [{name: gpu, resourceClaimTemplateName: gpu}]
`
	capacity := &clusterv1alpha1.ClusterCapacity{Status: clusterv1alpha1.ClusterCapacityStatus{Conditions: []metav1.Condition{
		{Type: clusterv1alpha1.ConditionKnown, Status: metav1.ConditionTrue}, {Type: clusterv1alpha1.ConditionDevicesKnown, Status: metav1.ConditionFalse},
	}}}
	p := policyOf(t, `{rules: [{deriveTolerations: {}}]}`)
	modify := func(template string) error {
		tree := read(t, template)
		fleet := NewFleet(Clusters{"one": ClusterOf(nil, "", capacity)})
		layers := Layers([]*Policy{p}, NewObject(workload.Builtin(), deployments, "", "train", nil), tree, fleet)
		_, _, err := layers[0].Modifier.Modify("one", tree)
		return err
	}
	if err := modify(claims); err == nil || !strings.Contains(err.Error(), "the devices of cluster one have not been read yet") {
		t.Errorf("got %v", err)
	}
	if err := modify(gpuWorkload); err != nil {
		t.Errorf("pods that claim none: %v", err)
	}
	before := PoolsRevision(capacity)
	capacity.Status.Conditions = capacity.Status.Conditions[:1]
	if PoolsRevision(capacity) == before {
		t.Error("that they have been read makes a difference")
	}
	if err := modify(claims); err != nil {
		t.Errorf("where there are none: %v", err)
	}
	capacity.Status.Conditions = append(capacity.Status.Conditions, metav1.Condition{Type: clusterv1alpha1.ConditionDevicesKnown, Status: metav1.ConditionFalse})
	capacity.Status.Pools = []clusterv1alpha1.Pool{{Resource: clusterv1alpha1.DeviceClassPrefix + "gpu", LargestNode: resource.MustParse("1")}}
	if err := modify(claims); err != nil {
		t.Errorf("what was known last: %v", err)
	}
	capacity.Status.Pools = nil
	for reason, read := range map[string]bool{
		clusterv1alpha1.ReasonDevicesStale: true, clusterv1alpha1.ReasonUnreadable: true, clusterv1alpha1.ReasonClaimsUnreadable: true,
		clusterv1alpha1.ReasonDevicesUnreadable: false, clusterv1alpha1.ReasonListing: false,
	} {
		capacity.Status.Conditions[1].Reason = reason
		if err := modify(claims); read != (err == nil) {
			t.Errorf("none were known, and then %s: %v", reason, err)
		}
	}
}

// A document is found where a patch of the object would find it: from the end of a list, too.
func TestADocumentIsFoundAsByPatches(t *testing.T) {
	const object = `{data: {list: ["{}", "{\"a\": 1}"], "a/b": "{\"a\": 1}"}}`
	for path, fault := range map[string]string{
		"/data/list/-1": "", "/data/list/1": "", "/data/a~1b": "", "/data/list/2": "leads to no string", "/data/list/x": "leads to no string",
		"/data/list": "leads to no string", "/data/none": "leads to no string", "data/list/1": `"data/list/1" must start with /`, "": "is empty",
	} {
		p := policyOf(t, `{rules: [{patches: [{op: replace, path: /a, value: 2, in: {path: "`+path+`", format: JSON}}]}]}`)
		_, _, err := made(t, p, object, "one")
		if fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestFieldsThatThereAreNoneOf(t *testing.T) {
	policy := func(spec string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: read(t, "{apiVersion: policy.fedctl.io/v1alpha1, kind: OverridePolicy, metadata: {namespace: shop, name: a}, spec: "+spec+"}")}
	}
	if err := CheckFields(policy(`{selectors: [{kind: Deployment}], rules: [{replicas: 2, resources: {limits: {cpu: 1}}, patches: [{path: /a, value: {b: c}}]}]}`)); err != nil {
		t.Error(err)
	}
	err := CheckFields(policy(`{selectrs: [{kind: Deployment}], rules: [{envs: [{name: A}]}]}`))
	for _, want := range []string{"OverridePolicy shop/a: ", `unknown field "spec.selectrs"`, `unknown field "spec.rules[0].envs"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A WorkloadKind with a mistyped path would take away what policies have put into pods; one
// that only judges health in another way leaves the pods where they are.
func TestAWorkloadKindWithoutThePods(t *testing.T) {
	tolerated := policyOf(t, "rules: [{tolerations: [{key: a, operator: Exists}]}]")
	modify := func(components ...fedctlv1alpha1.Component) (map[string]any, error) {
		kind, err := workload.Compile(&fedctlv1alpha1.WorkloadKindSpec{Group: "apps", Kind: "Deployment", Components: components})
		if err != nil {
			t.Fatal(err)
		}
		tree := read(t, gpuWorkload)
		layers := Layers([]*Policy{tolerated}, NewObject(workload.Builtin().With(kind), deployments, "", "train", nil), tree, fleetOfOne)
		changed, _, err := layers[0].Modifier.Modify("one", tree)
		return changed, err
	}
	if _, err := modify(fedctlv1alpha1.Component{Path: "spec.nope"}); err == nil || !strings.Contains(err.Error(), "no pod template at spec.nope") {
		t.Errorf("a mistyped path: %v", err)
	}
	for _, components := range [][]fedctlv1alpha1.Component{nil, {{Path: "spec.template"}}} {
		changed, err := modify(components...)
		if err != nil {
			t.Fatal(err)
		}
		if tolerations, _ := pod(changed)["tolerations"].([]any); len(tolerations) != 2 {
			t.Errorf("%v: got %v", components, tolerations)
		}
	}
}
