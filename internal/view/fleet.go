package view

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// FleetStatus is a member's row as the API of the fleet serves it: without what only those
// have to know who administer the federation, such as the address and the token's end.
func FleetStatus(c *fedcorev1beta1.KubeFedCluster) fleetv1alpha1.ClusterStatus {
	r := Cluster(c)
	return fleetv1alpha1.ClusterStatus{
		Ready: corev1.ConditionStatus(r.Ready), Reason: r.Reason, Message: r.Message, Version: r.Version,
		Region: r.Region, Zones: r.Zones, Nodes: r.Nodes, Accelerators: r.Accelerators,
	}
}

// FleetTable lays clusters of the API of the fleet out, one row each. now is for their ages.
func FleetTable(clusters []fleetv1alpha1.Cluster, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: fleetColumns()}
	table.ColumnDefinitions[0].Format = "name"
	for i := range clusters {
		c := &clusters[i]
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{
			c.Name, string(c.Status.Ready), Text(c.Status.Version), Text(c.Status.Region), Text(c.Status.Nodes), Text(c.Status.Accelerators),
			Age(c.CreationTimestamp, now), Text(strings.Join(c.Status.Zones, ",")), Text(c.Status.Reason), Text(c.Status.Message),
		}})
	}
	return table
}

// fleetColumns are the columns of a table of the fleet API's clusters.
func fleetColumns() []metav1.TableColumnDefinition {
	return Columns(7, "Name", "Ready", "Version", "Region", "Nodes", "Accelerators", "Age", "Zones", "Reason", "Message")
}
