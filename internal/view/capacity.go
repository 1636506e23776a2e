package view

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// PoolRow is nodes of a member that are alike to a pod which asks for their accelerator.
type PoolRow struct {
	Cluster  string `json:"cluster"`
	Resource string `json:"resource"`
	Product  string `json:"product,omitempty"`
	// Taints are those that stay, as kubectl writes them.
	Taints []string `json:"taints,omitempty"`
	// Closed are those of them that somebody has to approve before a policy opens the pool.
	Closed []string `json:"closed,omitempty"`
	// Nodes is how many there are, Available how many of them take pods.
	Nodes     int32 `json:"nodes"`
	Available int32 `json:"available"`
	// Allocatable is what the available nodes offer, Largest the most that one node does.
	Allocatable int64 `json:"allocatable"`
	Largest     int64 `json:"largestNode"`
	// Known is False where the nodes cannot be read now, and the row says what they were.
	Known string `json:"known"`
}

// Pools reads what the controller says of the members' nodes, by cluster.
func Pools(capacities []v1alpha1.ClusterCapacity) []PoolRow {
	rows := []PoolRow{}
	for i := range capacities {
		c := &capacities[i]
		known := string(metav1.ConditionUnknown)
		if condition := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionKnown); condition != nil {
			known = string(condition.Status)
		}
		for j := range c.Status.Pools {
			rows = append(rows, poolRow(c.Name, known, &c.Status.Pools[j]))
		}
	}
	slices.SortStableFunc(rows, func(a, b PoolRow) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return rows
}

func poolRow(cluster, known string, p *v1alpha1.Pool) PoolRow {
	r := PoolRow{
		Cluster: cluster, Resource: p.Resource, Product: p.Product, Nodes: p.Nodes, Available: p.AvailableNodes,
		Allocatable: p.Allocatable, Largest: p.LargestNode, Known: known,
	}
	for _, taint := range p.Taints {
		r.Taints = append(r.Taints, accelerator.TaintText(taint))
	}
	for _, taint := range accelerator.Blocking(p, nil) {
		r.Closed = append(r.Closed, accelerator.TaintText(taint))
	}
	return r
}

// PoolTable has a row for each pool.
func PoolTable(rows []PoolRow) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: Columns(8, "Cluster", "Resource", "Product", "Nodes", "Available", "Allocatable", "Largest", "Closed-By", "Taints", "Known")}
	for i := range rows {
		r := &rows[i]
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{
			r.Cluster, r.Resource, Text(r.Product), r.Nodes, r.Available, r.Allocatable, r.Largest,
			Text(strings.Join(r.Closed, ",")), Text(strings.Join(r.Taints, ",")), r.Known,
		}})
	}
	return table
}
