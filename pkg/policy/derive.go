package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fedctl/fedctl/pkg/accelerator"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/workload"
)

// deriveFor adds to a pod's spec what lets it run on the nodes that offer what it asks for.
func (w *work) deriveFor(spec map[string]any) error {
	requested := requestedBy(spec)
	if len(requested) == 0 {
		return nil
	}
	if !w.facts.Known {
		return fault(w.field+".deriveTolerations", notKnown(w.cluster))
	}
	d := accelerator.Derive(requested, w.facts.Pools, w.derive.Approve)
	w.report(requested, d)
	addTolerations(spec, d.Tolerations)
	if w.derive.RequireNodes && len(d.Open) > 0 {
		w.requireNodes(spec, d.Open)
	}
	return nil
}

// report says what the user should know: where nothing fits, and what is closed.
func (w *work) report(requested map[string]int64, d accelerator.Derivation) {
	for i := range d.Blocked {
		pool := &d.Blocked[i]
		var taints, approvals []string
		for _, taint := range accelerator.Blocking(pool, w.derive.Approve) {
			taints = append(taints, accelerator.TaintText(taint))
			approvals = append(approvals, fmt.Sprintf("{key: %s, value: %q, effect: %s}", taint.Key, taint.Value, taint.Effect))
		}
		w.note(fmt.Sprintf("the pool %s of %d nodes is closed to it by %s; what would open it is %s.deriveTolerations.approve: [%s]",
			poolName(pool), pool.Nodes, strings.Join(taints, " and "), w.field, strings.Join(approvals, ", ")))
	}
	for _, name := range slices.Sorted(maps.Keys(requested)) {
		offers := func(p clusterv1alpha1.Pool) bool { return p.Resource == name }
		if !slices.ContainsFunc(d.Open, offers) && !slices.ContainsFunc(d.Blocked, offers) {
			w.note(fmt.Sprintf("no node offers %d of %s: its pods cannot run there", requested[name], name))
		}
	}
}

func poolName(p *clusterv1alpha1.Pool) string {
	if p.Product == "" {
		return p.Resource
	}
	return p.Resource + " " + p.Product
}

// requireNodes has the pod run on nodes of the products that are open to it.
func (w *work) requireNodes(spec map[string]any, open []clusterv1alpha1.Pool) {
	products := map[string][]string{}
	for i := range open {
		if open[i].ProductLabel == "" {
			w.note("the nodes of the pool " + open[i].Resource + " do not say what product they are: the pods are not kept to them")
			return
		}
		label := open[i].ProductLabel
		if !slices.Contains(products[label], open[i].Product) {
			products[label] = append(products[label], open[i].Product)
		}
	}
	var wanted []any // one term for each label: a node meets one of them
	for _, label := range slices.Sorted(maps.Keys(products)) {
		slices.Sort(products[label])
		values := make([]any, len(products[label]))
		for i, product := range products[label] {
			values[i] = product
		}
		wanted = append(wanted, map[string]any{"key": label, "operator": "In", "values": values})
	}
	affinity := child(spec, "affinity")
	node := child(affinity, "nodeAffinity")
	required := child(node, "requiredDuringSchedulingIgnoredDuringExecution")
	required["nodeSelectorTerms"] = narrowed(required["nodeSelectorTerms"], wanted)
}

// child puts a copy of a map in the place of the one that is there, and returns it.
func child(of map[string]any, field string) map[string]any {
	inner, _ := of[field].(map[string]any)
	inner = maps.Clone(inner)
	if inner == nil {
		inner = map[string]any{}
	}
	of[field] = inner
	return inner
}

// narrowed returns the terms of which a node has to meet one so that it meets one of
// those that there were, and one of the expressions.
func narrowed(terms any, expressions []any) []any {
	present, _ := terms.([]any)
	if len(present) == 0 {
		present = []any{map[string]any{}}
	}
	var all []any
	for _, term := range present {
		was, ok := term.(map[string]any)
		if !ok {
			continue
		}
		had, _ := was["matchExpressions"].([]any)
		for _, expression := range expressions {
			narrow := maps.Clone(was)
			narrow["matchExpressions"] = append(slices.Clone(had), expression)
			all = append(all, narrow)
		}
	}
	return all
}

// addTolerations adds those that a pod's spec lacks.
func addTolerations(spec map[string]any, more []corev1.Toleration) {
	if len(more) == 0 {
		return
	}
	list, _ := spec["tolerations"].([]any)
	own := make([]corev1.Toleration, 0, len(list))
	for _, item := range list {
		var toleration corev1.Toleration
		if m, ok := item.(map[string]any); ok {
			_ = runtime.DefaultUnstructuredConverter.FromUnstructured(m, &toleration) // one that cannot be read is like no other
		}
		own = append(own, toleration)
	}
	merged := accelerator.MergeTolerations(own, more)
	list = slices.Clone(list)
	for i := len(own); i < len(merged); i++ {
		list = append(list, untyped(merged[i:i+1])...)
	}
	if len(list) > 0 {
		spec["tolerations"] = list
	}
}

// requestedBy is what a pod asks of each accelerator.
func requestedBy(spec map[string]any) map[string]int64 {
	return accelerator.Requested(corev1.PodSpec{InitContainers: containersOf(spec["initContainers"]), Containers: containersOf(spec["containers"])})
}

// containersOf reads as much of containers as says what they ask for. What cannot be read
// asks for nothing: the member's API server says what is wrong with it.
func containersOf(list any) []corev1.Container {
	items, _ := list.([]any)
	containers := make([]corev1.Container, 0, len(items))
	for _, item := range items {
		fields, _ := item.(map[string]any)
		resources, _ := fields["resources"].(map[string]any)
		c := corev1.Container{Resources: corev1.ResourceRequirements{Limits: listOf(resources["limits"]), Requests: listOf(resources["requests"])}}
		if policy, ok := fields["restartPolicy"].(string); ok {
			always := corev1.ContainerRestartPolicy(policy)
			c.RestartPolicy = &always
		}
		containers = append(containers, c)
	}
	return containers
}

func listOf(of any) corev1.ResourceList {
	fields, _ := of.(map[string]any)
	var list corev1.ResourceList
	for name, value := range fields {
		if !accelerator.IsAccelerator(name) {
			continue
		}
		quantity, err := resource.ParseQuantity(fmt.Sprint(value))
		if err != nil {
			continue
		}
		if list == nil {
			list = corev1.ResourceList{}
		}
		list[corev1.ResourceName(name)] = quantity
	}
	return list
}

// requestedAnywhere are the accelerators that any pod of a template asks for.
func requestedAnywhere(template map[string]any, paths []workload.Path) map[string]bool {
	asked := map[string]bool{}
	_, _ = workload.Edit(template, paths, func(_, spec map[string]any, _ string) error {
		for name := range requestedBy(spec) {
			asked[name] = true
		}
		return nil
	})
	return asked
}
