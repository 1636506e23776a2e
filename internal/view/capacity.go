package view

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// PoolRow is nodes of a member that are alike to a pod which asks for a resource. Amounts
// are quantities; an empty one is not known.
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
	// Starting are Ready and do not offer the resource yet, WithoutPlugin not after a while.
	Starting      int32 `json:"starting,omitempty"`
	WithoutPlugin int32 `json:"withoutPlugin,omitempty"`
	// Allocatable is what the available nodes offer, Requested what the pods there ask for,
	// and Free what is left.
	Amounts
	// Largest is the most that one node offers, LargestFree the most that one has left.
	Largest     string `json:"largestNode"`
	LargestFree string `json:"largestFree,omitempty"`
	// Known is False where the nodes cannot be read now, and the row says what they were.
	Known string `json:"known"`
}

// Amounts of a resource, as quantities. Requested and Free are empty where nobody knows
// what pods ask for.
type Amounts struct {
	Allocatable string `json:"allocatable"`
	Requested   string `json:"requested,omitempty"`
	Free        string `json:"free,omitempty"`
}

// Pools reads what the controller says of the members' accelerators, by cluster.
func Pools(capacities []v1alpha1.ClusterCapacity) []PoolRow {
	rows := []PoolRow{}
	for i := range capacities {
		c := &capacities[i]
		for j := range c.Status.Pools {
			if computes(c.Status.Pools[j].Resource) {
				rows = append(rows, poolRow(c.Name, knownOf(c), &c.Status.Pools[j]))
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b PoolRow) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return rows
}

// knownOf is the status of the condition Known.
func knownOf(c *v1alpha1.ClusterCapacity) string {
	if condition := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionKnown); condition != nil {
		return string(condition.Status)
	}
	return string(metav1.ConditionUnknown)
}

func poolRow(cluster, known string, p *v1alpha1.Pool) PoolRow {
	r := PoolRow{
		Cluster: cluster, Resource: p.Resource, Product: p.Product, Nodes: p.Nodes, Available: p.AvailableNodes,
		Starting: p.StartingNodes, WithoutPlugin: p.NodesWithoutPlugin,
		Amounts: Amounts{Allocatable: p.Allocatable.String(), Requested: quantity(p.Requested), Free: quantity(p.Free)},
		Largest: p.LargestNode.String(), LargestFree: quantity(p.LargestFree), Known: known,
	}
	for _, taint := range p.Taints {
		r.Taints = append(r.Taints, accelerator.TaintText(taint))
	}
	for _, taint := range accelerator.Blocking(p, nil) {
		r.Closed = append(r.Closed, accelerator.TaintText(taint))
	}
	return r
}

func quantity(q *resource.Quantity) string {
	if q == nil {
		return ""
	}
	return q.String()
}

// PoolTable has a row for each pool.
func PoolTable(rows []PoolRow) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: Columns(11, "Cluster", "Resource", "Product", "Nodes", "Available", "Allocatable", "Requested", "Free", "Largest-Free", "Closed-By", "Taints", "Largest-Node", "Starting", "No-Plugin", "Known")}
	for i := range rows {
		r := &rows[i]
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{
			r.Cluster, r.Resource, Text(r.Product), r.Nodes, r.Available, r.Allocatable, Text(r.Requested), Text(r.Free), Text(r.LargestFree),
			Text(strings.Join(r.Closed, ",")), Text(strings.Join(r.Taints, ",")), r.Largest, r.Starting, r.WithoutPlugin, r.Known,
		}})
	}
	return table
}
