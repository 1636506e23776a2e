package view

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// UsageRow is what a member's nodes offer together, and what is free of it.
type UsageRow struct {
	Cluster string `json:"cluster"`
	// Nodes is how many there are, Ready how many of them are Ready and not cordoned.
	Nodes int32 `json:"nodes"`
	Ready int32 `json:"ready"`
	// Resources are by name: cpu, memory, pods, and extended resources.
	Resources map[string]Amounts `json:"resources"`
	// Known is False where the nodes cannot be read now, and the row says what they were.
	Known string `json:"known"`
}

// Usage reads what the controller says of the members' nodes, by cluster.
func Usage(capacities []v1alpha1.ClusterCapacity) []UsageRow {
	rows := make([]UsageRow, 0, len(capacities))
	for i := range capacities {
		c := &capacities[i]
		rows = append(rows, UsageRow{
			Cluster: c.Name, Nodes: c.Status.Nodes, Ready: c.Status.ReadyNodes, Resources: totals(c.Status.Pools), Known: knownOf(c),
		})
	}
	slices.SortFunc(rows, func(a, b UsageRow) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return rows
}

// totals sums pools up by resource, whatever taints they have.
func totals(pools []v1alpha1.Pool) map[string]Amounts {
	type sum struct {
		allocatable, requested, free resource.Quantity
		known                        bool
	}
	sums := map[string]*sum{}
	for i := range pools {
		p := &pools[i]
		if sums[p.Resource] == nil {
			sums[p.Resource] = &sum{known: true}
		}
		s := sums[p.Resource]
		s.allocatable.Add(p.Allocatable)
		if p.Requested == nil || p.Free == nil {
			s.known = false
			continue
		}
		s.requested.Add(*p.Requested)
		s.free.Add(*p.Free)
	}
	amounts := map[string]Amounts{}
	for name, s := range sums {
		amounts[name] = Amounts{Allocatable: s.allocatable.String()}
		if s.known {
			amounts[name] = Amounts{Allocatable: s.allocatable.String(), Requested: s.requested.String(), Free: s.free.String()}
		}
	}
	return amounts
}

// UsageTable has a row for each cluster.
func UsageTable(rows []UsageRow) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: Columns(11, "Cluster", "Nodes", "Ready", "CPU", "CPU-Free", "Memory", "Memory-Free", "Pods", "Pods-Free", "Accelerators", "Accelerators-Free", "Others", "Others-Free", "Known")}
	for i := range rows {
		r := &rows[i]
		cells := []any{r.Cluster, r.Nodes, r.Ready}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods} {
			cells = append(cells, Text(r.Resources[string(name)].Allocatable), Text(r.Resources[string(name)].Free))
		}
		others := func(name string) bool { return strings.Contains(name, "/") && !accelerator.IsAccelerator(name) }
		for _, which := range []func(string) bool{accelerator.IsAccelerator, others} {
			cells = append(cells,
				r.list(which, func(a Amounts) string { return a.Allocatable }), r.list(which, func(a Amounts) string { return a.Free }))
		}
		table.Rows = append(table.Rows, metav1.TableRow{Cells: append(cells, r.Known)})
	}
	return table
}

// list is some resources with one of their amounts, such as "nvidia.com/gpu=8".
func (r *UsageRow) list(which func(name string) bool, amount func(Amounts) string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(r.Resources)) {
		if value := amount(r.Resources[name]); which(name) && value != "" {
			words = append(words, name+"="+value)
		}
	}
	return Text(strings.Join(words, ","))
}
