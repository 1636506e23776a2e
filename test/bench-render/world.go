package main

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/policy"
)

var target = federate.Target{GVK: schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, Namespaced: true}

// policyTexts are four as people write them: the GPUs of the fleet, a mirror for each
// region, a team's Secret and sidecar, and what one namespace wants else.
var policyTexts = []string{
	`{"kind":"ClusterOverridePolicy","metadata":{"name":"gpus"},"spec":{"rules":[{"deriveTolerations":{"requireNodes":true,"approve":[{"key":"dedicated","value":"research","effect":"NoSchedule"}]}}]}}`,
	`{"kind":"ClusterOverridePolicy","metadata":{"name":"mirrors"},"spec":{"rules":[
		{"clusters":{"labelSelector":{"matchLabels":{"region":"region-0"}}},"images":[{"registry":"mirror.region-0.example.com"}]},
		{"clusters":{"labelSelector":{"matchLabels":{"region":"region-1"}}},"images":[{"registry":"mirror.region-1.example.com"}]}]}}`,
	`{"kind":"OverridePolicy","metadata":{"name":"credentials","namespace":"shop"},"spec":{"rules":[{"env":[{"name":"TOKEN","valueFrom":{"secretKeyRef":{"name":"team","key":"token"}}}],
		"volumes":[{"name":"team","secret":{"secretName":"team"}}],"volumeMounts":[{"name":"team","mountPath":"/team"}],"sidecars":[{"name":"proxy","image":"registry.example.com/proxy:1.4"}]}]}}`,
	`{"kind":"OverridePolicy","metadata":{"name":"spread","namespace":"shop"},"spec":{"selectors":[{"kind":"Deployment","labelSelector":{"matchLabels":{"tier":"tier-1"}}}],
		"rules":[{"clusters":{"labelSelector":{"matchLabels":{"size":"small"}}},"replicas":1,"resources":{"requests":{"cpu":"50m"}}},{"annotations":{"team":"shop"},"priorityClassName":"high"}]}}`,
}

func thePolicies() []*policy.Policy {
	policies := make([]*policy.Policy, len(policyTexts))
	for i, text := range policyTexts {
		object := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(text), &object.Object); err != nil {
			panic(err) // it is written above
		}
		policies[i], _ = policy.Read(object)
		if err := policies[i].Problem(); err != nil {
			panic(err)
		}
	}
	return policies
}

func hardware(value string) clusterv1alpha1.PoolTaint {
	return clusterv1alpha1.PoolTaint{Key: "nvidia.com/gpu", Value: value, Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintHardware}
}

func restricted(key, value string) clusterv1alpha1.PoolTaint {
	return clusterv1alpha1.PoolTaint{Key: key, Value: value, Effect: "NoSchedule", Meaning: clusterv1alpha1.TaintRestricted}
}

// taints are what the pools of clusters have, as providers and people set them.
var taints = [][]clusterv1alpha1.PoolTaint{
	{hardware("present")}, {hardware("true")}, {hardware("")}, nil,
	{hardware("present"), restricted("kubernetes.io/arch", "arm64")},
	{hardware("present"), restricted("cloud.google.com/gke-spot", "true")},
	{restricted("dedicated", "research")}, {restricted("sku", "gpu")},
}

var products = []string{"NVIDIA-H100-80GB-HBM3", "NVIDIA-A100-SXM4-40GB", "NVIDIA-L4"}

func clusterNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("cluster-%04d", i)
	}
	return names
}

// clusters are of five regions and two sizes. A third has no GPUs; the others have one or
// two pools of them, of any product and taint, and each another number of nodes.
func clusters(n int) policy.Clusters {
	all := policy.Clusters{}
	for i, name := range clusterNames(n) {
		c := policy.Cluster{Known: true, Labels: map[string]string{"region": fmt.Sprintf("region-%d", i%5), "size": []string{"small", "large"}[i/5%2]}}
		for k := range i % 3 {
			c.Pools = append(c.Pools, clusterv1alpha1.Pool{
				Resource: "nvidia.com/gpu", Product: products[(i/7+k)%len(products)], ProductLabel: "nvidia.com/gpu.product",
				Taints: taints[(i/3+5*k)%len(taints)], Nodes: int32(1 + i%40), AvailableNodes: int32(1 + i%40),
				Allocatable: *resource.NewQuantity(int64(8*(1+i%40)), resource.DecimalSI), LargestNode: resource.MustParse("8"),
			})
		}
		all[name] = c
	}
	return all
}

// federatedObjects are Deployments of ordinary size, as the host has them: two containers,
// probes, environment, volumes; every third asks for GPUs, and each has overrides for one
// cluster of a hundred.
func federatedObjects(first, n, clusters int) []string {
	const container = `{"name":"%s","image":"registry.example.com/shop/%s:1.2.%d","env":[{"name":"A","value":"b"},{"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}],` +
		`"ports":[{"containerPort":8080,"name":"http","protocol":"TCP"}],"resources":{"limits":{%s"memory":"1Gi"},"requests":{"cpu":"100m","memory":"128Mi"}},` +
		`"readinessProbe":{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":5},"volumeMounts":[{"mountPath":"/etc/app","name":"config"}]}`
	texts := make([]string, n)
	for i := range texts {
		id, gpus := first+i, ""
		if id%3 == 0 {
			gpus = `"nvidia.com/gpu":1,`
		}
		var overrides []string
		for c := id % 100; c < clusters; c += 100 {
			overrides = append(overrides, fmt.Sprintf(`{"clusterName":"cluster-%04d","clusterOverrides":[{"path":"/spec/replicas","value":%d}]}`, c, c%7))
		}
		texts[i] = fmt.Sprintf(`{"apiVersion":"types.kubefed.io/v1beta1","kind":"FederatedDeployment","metadata":{"name":"web-%d","namespace":"shop","uid":"u-%d","generation":3,"labels":{"tier":"tier-%d"}},`+
			`"spec":{"template":{"metadata":{"labels":{"app":"web","tier":"front"},"annotations":{"note":"text"}},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},`+
			`"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[%s,%s],"volumes":[{"name":"config","configMap":{"name":"app"}}]}}}},`+
			`"placement":{"clusterSelector":{}},"overrides":[%s]}}`,
			id, id, id%2, fmt.Sprintf(container, "app", "app", id, gpus), fmt.Sprintf(container, "log", "log", id, ""), strings.Join(overrides, ","))
	}
	return texts
}
