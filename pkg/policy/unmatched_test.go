package policy

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

func TestUnmatchedKinds(t *testing.T) {
	federated := []schema.GroupKind{deployments, {Kind: "ConfigMap"}}
	for selectors, want := range map[string]string{
		"[]": "",
		"[{}, {kind: Deployment}, {kind: Deployment, group: apps}, {group: apps}, {kind: ConfigMap, names: [a]}]": "",
		"[{kind: ConfigMap}, {kind: deployment}]": `spec.selectors[1]: no type of the kind "deployment" is federated`,
		"[{kind: Deployment, group: app}]":        `spec.selectors[0]: no type of the kind "Deployment.app" is federated`,
	} {
		if got := strings.Join(policyOf(t, "{selectors: "+selectors+", rules: [{replicas: 1}]}").UnmatchedKinds(federated), "; "); got != want {
			t.Errorf("%s: got %s", selectors, got)
		}
	}
}

func TestUnmatched(t *testing.T) {
	device := clusterv1alpha1.DeviceClassPrefix + "gpu.example.com"
	read := NewFleet(Clusters{
		"one": fleetOfOne.clusters["one"],
		"two": {Known: true, KubernetesVersion: "v1.35.0", Labels: map[string]string{"region": "us"}, Pools: []clusterv1alpha1.Pool{{Resource: device}}},
	})
	tests := []struct {
		name, rules string
		fleet       *Fleet
		want        []string
	}{
		{name: "all clusters", rules: `[{replicas: 1}]`},
		{name: "what there is", rules: `[{clusters: {names: [one], labelSelector: {matchLabels: {region: eu}}, accelerator: nvidia.com/gpu, product: A100, kubernetesVersion: ">=1.36"}, replicas: 1}]`},
		{name: "a device class that there is", rules: `[{clusters: {accelerator: ` + device + `}, replicas: 1}]`},
		{name: "clusters that have not joined", rules: `[{replicas: 1}, {clusters: {names: [one, tow, three]}, replicas: 1}]`,
			want: []string{`spec.rules[1].clusters.names[1]: no cluster "tow" has joined`, `spec.rules[1].clusters.names[2]: no cluster "three" has joined`}},
		{name: "a label", rules: `[{clusters: {labelSelector: {matchLabels: {region: eux}}}, replicas: 1}]`, want: []string{"spec.rules[0].clusters.labelSelector: no cluster has such labels"}},
		{name: "an accelerator", rules: `[{clusters: {accelerator: nvidia.com/gpus}, replicas: 1}]`, want: []string{`spec.rules[0].clusters.accelerator: no node of a member offers "nvidia.com/gpus" now`}},
		{name: "a product", rules: `[{clusters: {accelerator: nvidia.com/gpu, product: A200}, replicas: 1}]`, want: []string{`spec.rules[0].clusters.product: no node of a member offers "A200" now`}},
		{name: "a version", rules: `[{clusters: {kubernetesVersion: ">=1.99"}, replicas: 1}]`, want: []string{"spec.rules[0].clusters.kubernetesVersion: no cluster has such a version"}},
		{name: "no cluster has both", rules: `[{clusters: {names: [two], accelerator: nvidia.com/gpu}, replicas: 1}]`, want: []string{"spec.rules[0].clusters: no cluster has joined that meets all of it"}},
		{name: "what containers ask for", rules: `[{containers: [a], resources: {requests: {cpu: 1}, limits: {nvidia.com/gpus: 1, nvidia.com/gpu: 1, example.com/dongle: 1}}}]`,
			want: []string{"spec.rules[0].resources.limits[nvidia.com/gpus]: no node of a member offers it now"}},
		{name: "taints that are there", rules: `[{deriveTolerations: {approve: [{key: dedicated, value: research, effect: NoSchedule}, {key: nvidia.com/gpu, anyValue: true, effect: NoSchedule}]}}]`},
		{name: "a taint of another cluster", rules: `[{clusters: {names: [two]}, deriveTolerations: {approve: [{key: dedicated, value: research, effect: NoSchedule}]}}]`,
			want: []string{"spec.rules[0].deriveTolerations.approve[0]: no pool of accelerators in the clusters of the rule has the taint dedicated=research:NoSchedule now"}},
		{name: "taints that are mistyped", rules: `[{deriveTolerations: {approve: [{key: dedicated, value: researhc, effect: NoSchedule}, {key: dedicated, value: research, effect: NoExecute}, {key: example.com/Dedicated, anyValue: true, effect: NoSchedule}, {key: spot, effect: NoSchedule}]}}]`,
			want: []string{
				"spec.rules[0].deriveTolerations.approve[0]: no pool of accelerators in the clusters of the rule has the taint dedicated=researhc:NoSchedule now; there is dedicated=research:NoSchedule",
				"spec.rules[0].deriveTolerations.approve[1]: no pool of accelerators in the clusters of the rule has the taint dedicated=research:NoExecute now; there is dedicated=research:NoSchedule",
				"spec.rules[0].deriveTolerations.approve[2]: no pool of accelerators in the clusters of the rule has the taint example.com/Dedicated:NoSchedule with any value now; there is dedicated=research:NoSchedule",
				"spec.rules[0].deriveTolerations.approve[3]: no pool of accelerators in the clusters of the rule has the taint spot:NoSchedule now"}},
		{name: "a taint that passes", rules: `[{deriveTolerations: {approve: [{key: node.kubernetes.io/unschedulable, effect: NoSchedule}]}}]`,
			want: []string{`spec.rules[0].deriveTolerations.approve[0]: "node.kubernetes.io/unschedulable" is a taint of nodes that are broken, starting or about to go, which nothing tolerates`}},
		{name: "a taint for no cluster", rules: `[{clusters: {names: [tow]}, deriveTolerations: {approve: [{key: spot, effect: NoSchedule}]}}]`, want: []string{`spec.rules[0].clusters.names[0]: no cluster "tow" has joined`}},
		{name: "a taint where nodes were never read", fleet: fleetOfOne, rules: `[{deriveTolerations: {approve: [{key: spot, effect: NoSchedule}]}}]`},
		{name: "nodes that were never read", fleet: fleetOfOne, rules: `[{clusters: {accelerator: nvidia.com/gpus, product: x}, resources: {limits: {nvidia.com/gpus: 1}}}, {clusters: {kubernetesVersion: ">=1.99"}, replicas: 1}]`},
		{name: "no cluster at all", fleet: NewFleet(nil), rules: `[{clusters: {names: [one]}, replicas: 1}, {clusters: {accelerator: nvidia.com/gpu}, replicas: 1}]`,
			want: []string{`spec.rules[0].clusters.names[0]: no cluster "one" has joined`, `spec.rules[1].clusters.accelerator: no node of a member offers "nvidia.com/gpu" now`}},
		{name: "many", rules: `[{clusters: {names: [a, b, c, d, e, f, g]}, replicas: 1}]`, want: []string{
			`spec.rules[0].clusters.names[0]: no cluster "a" has joined`, `spec.rules[0].clusters.names[1]: no cluster "b" has joined`, `spec.rules[0].clusters.names[2]: no cluster "c" has joined`,
			`spec.rules[0].clusters.names[3]: no cluster "d" has joined`, `spec.rules[0].clusters.names[4]: no cluster "e" has joined`, "and 2 more that there is none of"}},
		{name: "a policy that is none", rules: `[{clusters: {names: [tow], kubernetesVersion: new}, replicas: 1}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fleet := tt.fleet
			if fleet == nil {
				fleet = read
			}
			p := policyOf(t, "rules: "+tt.rules)
			for range 2 { // the second is remembered
				if got := fleet.Unmatched(p); !slices.Equal(got, tt.want) {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
				}
			}
		})
	}
}
