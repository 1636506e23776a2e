package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fedctl/fedctl/pkg/accelerator"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/workload"
)

// derivation is what pods that ask for the same need to run on nodes of the same pools, in
// the form in which objects hold it.
type derivation struct {
	tolerations []corev1.Toleration
	// nodes are expressions of which a node has to meet one; none where pods are not kept to nodes.
	nodes []any
	// notes say what the user should know: where nothing fits, and what is closed.
	notes []string
}

// deriveFor adds to a pod's spec what lets it run on the nodes that offer what it asks for.
func (w *work) deriveFor(spec map[string]any) error {
	requested := requestedBy(spec)
	if len(requested) == 0 {
		return nil
	}
	if !w.facts.knows(requested) {
		return fault(w.field+".deriveTolerations", notKnown(w.cluster, w.facts))
	}
	d := w.sight.derived(w.cluster, requested)
	if d == nil { // another rule has made it ask for something else
		d = w.deriveFrom(requested, w.facts.Pools)
	}
	for _, note := range d.notes {
		w.note(note)
	}
	addTolerations(spec, d.tolerations)
	if len(d.nodes) > 0 {
		required := child(child(child(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution")
		terms := narrowed(required["nodeSelectorTerms"], d.nodes)
		if len(terms) > mostTerms {
			return fault(w.field+".deriveTolerations.requireNodes", fmt.Sprintf("the pods are kept to nodes in more than %d ways", mostTerms))
		}
		required["nodeSelectorTerms"] = terms
	}
	return nil
}

// deriveFrom derives from the pools of a cluster.
func (r *rule) deriveFrom(requested map[string]int64, pools []clusterv1alpha1.Pool) *derivation {
	from := accelerator.Derive(requested, pools, r.derive.Approve)
	d := &derivation{tolerations: from.Tolerations, notes: r.notesOf(requested, from)}
	if r.derive.RequireNodes {
		var note string
		if d.nodes, note = nodesOf(from.Open); note != "" {
			d.notes = append(d.notes, note)
		}
	}
	return d
}

// notesOf say where nothing fits, and what is closed.
func (r *rule) notesOf(requested map[string]int64, d accelerator.Derivation) []string {
	var notes []string
	for i := range d.Blocked {
		pool := &d.Blocked[i]
		var taints, approvals []string
		for _, taint := range accelerator.Blocking(pool, r.derive.Approve) {
			taints = append(taints, accelerator.TaintText(taint))
			approvals = append(approvals, fmt.Sprintf("{key: %s, value: %q, effect: %s}", taint.Key, taint.Value, taint.Effect))
		}
		notes = append(notes, fmt.Sprintf("the pool %s is closed to it by %s; what would open it is %s.deriveTolerations.approve: [%s]",
			poolName(pool), strings.Join(taints, " and "), r.field, strings.Join(approvals, ", ")))
	}
	for _, name := range slices.Sorted(maps.Keys(requested)) {
		claimed := name == accelerator.AnyDevice
		offers := func(p clusterv1alpha1.Pool) bool {
			return p.Resource == name || claimed && accelerator.IsDevice(p.Resource)
		}
		switch found := slices.ContainsFunc(d.Open, offers) || slices.ContainsFunc(d.Blocked, offers); {
		case found:
		case claimed:
			notes = append(notes, "no node offers devices that can be claimed: its pods cannot run there")
		default:
			notes = append(notes, fmt.Sprintf("no node offers %d of %s: its pods cannot run there", requested[name], name))
		}
	}
	return notes
}

func poolName(p *clusterv1alpha1.Pool) string {
	name := strings.TrimPrefix(p.Resource, clusterv1alpha1.DeviceClassPrefix)
	if p.Product == "" {
		return name
	}
	return name + " " + p.Product
}

// nodesOf are expressions that nodes of the products meet that are open; the note says why
// there are none.
func nodesOf(open []clusterv1alpha1.Pool) (expressions []any, note string) {
	products := map[string][]string{}
	for i := range open {
		if accelerator.IsDevice(open[i].Resource) {
			continue // the scheduler finds the nodes of what is claimed
		}
		if open[i].ProductLabel == "" {
			return nil, "the nodes of the pool " + open[i].Resource + " do not say what product they are: the pods are not kept to them"
		}
		label := open[i].ProductLabel
		if !slices.Contains(products[label], open[i].Product) {
			products[label] = append(products[label], open[i].Product)
		}
	}
	for _, label := range slices.Sorted(maps.Keys(products)) { // one for each label
		slices.Sort(products[label])
		values := make([]any, len(products[label]))
		for i, product := range products[label] {
			values[i] = product
		}
		expressions = append(expressions, map[string]any{"key": label, "operator": "In", "values": values})
	}
	return expressions, ""
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

// mostTerms is how many nodeSelectorTerms derivation may make of those of a pod: each rule that
// keeps pods to nodes multiplies them by the labels that name products.
const mostTerms = 256

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
		if slices.ContainsFunc(had, func(one any) bool {
			return slices.ContainsFunc(expressions, func(other any) bool { return same(one, other) })
		}) {
			all = append(all, term) // it is narrow enough
			continue
		}
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
	requested := accelerator.Requested(corev1.PodSpec{InitContainers: containersOf(spec["initContainers"]), Containers: containersOf(spec["containers"])})
	if claims, ok := spec["resourceClaims"].([]any); ok && len(claims) > 0 {
		requested[accelerator.AnyDevice] = 1
	}
	return requested
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
		if !accelerator.IsAccelerator(name) && !accelerator.IsDevice(name) {
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

// requests are what pods ask for of accelerators, each once; not nil, where they ask for none.
type requests []map[string]int64

// requestedAnywhere is what the pods of a template ask for.
func requestedAnywhere(template map[string]any, paths []workload.Template) requests {
	asked := requests{}
	_, _ = workload.Edit(template, paths, func(spec map[string]any, _ string) error {
		requested := requestedBy(spec)
		if len(requested) > 0 && !slices.ContainsFunc(asked, func(other map[string]int64) bool { return maps.Equal(other, requested) }) {
			asked = append(asked, requested)
		}
		return nil
	})
	return asked
}

// key is the same for the same requests.
func (r requests) key() string {
	keys := make([]string, len(r))
	for i := range r {
		keys[i] = requestKey(r[i])
	}
	slices.Sort(keys)
	return strings.Join(keys, ";")
}

func requestKey(requested map[string]int64) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(requested)) {
		b.WriteString(name + "=" + strconv.FormatInt(requested[name], 10) + ",")
	}
	return b.String()
}
