package view

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
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
	Resources map[string]Resource `json:"resources"`
	// Known is False where the nodes cannot be read now, and the row says what they were.
	Known string `json:"known"`
}

// Usage reads what the controller says of the members' nodes, by cluster.
func Usage(capacities []v1alpha1.ClusterCapacity) []UsageRow {
	rows := make([]UsageRow, 0, len(capacities))
	for i := range capacities {
		c := &capacities[i]
		rows = append(rows, UsageRow{
			Cluster: c.Name, Nodes: c.Status.Nodes, Ready: c.Status.ReadyNodes, Resources: resourcesOf(c.Status.Resources), Known: knownOf(c),
		})
	}
	slices.SortFunc(rows, func(a, b UsageRow) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return rows
}

// Resource is what there is of a resource, and how much more there can be. Growth and
// FreeAfterGrowing are empty where nobody says so, or where there is no limit.
type Resource struct {
	Amounts

	Growth           string `json:"growth,omitempty"`
	FreeAfterGrowing string `json:"freeAfterGrowing,omitempty"`
	Unlimited        bool   `json:"unlimited,omitempty"`
}

// growth is how much more there can be, in a word.
func (r Resource) growth() string {
	if r.Unlimited {
		return "unlimited"
	}
	return r.Growth
}

func resourcesOf(totals []v1alpha1.Total) map[string]Resource {
	resources := map[string]Resource{}
	for i := range totals {
		t := &totals[i]
		resources[t.Resource] = Resource{
			Amounts: Amounts{Allocatable: t.Allocatable.String(), Requested: quantity(t.Requested), Free: quantity(t.Free)},
			Growth:  quantity(t.Growth), FreeAfterGrowing: quantity(t.FreeAfterGrowing), Unlimited: t.Unlimited,
		}
	}
	return resources
}

// UsageTable has a row for each cluster.
func UsageTable(rows []UsageRow) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: Columns(11, "Cluster", "Nodes", "Ready", "CPU", "CPU-Free", "Memory", "Memory-Free", "Pods", "Pods-Free", "Accelerators", "Accelerators-Free", "Others", "Others-Free", "Growth", "Known")}
	for i := range rows {
		r := &rows[i]
		cells := []any{r.Cluster, r.Nodes, r.Ready}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods} {
			cells = append(cells, Text(r.Resources[string(name)].Allocatable), Text(r.Resources[string(name)].Free))
		}
		others := func(name string) bool { return strings.Contains(name, "/") && !computes(name) }
		for _, which := range []func(string) bool{computes, others} {
			cells = append(cells,
				r.list(which, func(r Resource) string { return r.Allocatable }), r.list(which, func(r Resource) string { return r.Free }))
		}
		cells = append(cells, r.list(anything, Resource.growth))
		table.Rows = append(table.Rows, metav1.TableRow{Cells: append(cells, r.Known)})
	}
	return table
}

// computes says whether a resource is an accelerator, or devices of a DeviceClass.
func computes(name string) bool { return accelerator.IsAccelerator(name) || accelerator.IsDevice(name) }

func anything(string) bool { return true }

// list is some resources with one of their amounts, such as "nvidia.com/gpu=8".
func (r *UsageRow) list(which func(name string) bool, amount func(Resource) string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(r.Resources)) {
		if value := amount(r.Resources[name]); which(name) && value != "" {
			words = append(words, name+"="+value)
		}
	}
	return Text(strings.Join(words, ","))
}
