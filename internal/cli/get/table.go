package get

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/membership"
)

// unknown stands for what is not known.
const unknown = "-"

var clusterColumns = []metav1.TableColumnDefinition{
	{Name: "Name", Type: "string"},
	{Name: "Ready", Type: "string"},
	{Name: "Version", Type: "string"},
	{Name: "Region", Type: "string"},
	{Name: "Zones", Type: "string"},
	{Name: "Nodes", Type: "string"},
	{Name: "Accelerators", Type: "string"},
	{Name: "Age", Type: "string"},
	{Name: "Reason", Type: "string"},
	{Name: "Endpoint", Type: "string", Priority: 1},
	{Name: "Message", Type: "string", Priority: 1},
}

// clusterTable lays the clusters out, one row each. now is for their ages.
func clusterTable(clusters []fedcorev1beta1.KubeFedCluster, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: clusterColumns}
	for i := range clusters {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: clusterCells(&clusters[i], now)})
	}
	return table
}

func clusterCells(c *fedcorev1beta1.KubeFedCluster, now time.Time) []any {
	ready, reason, message := string(corev1.ConditionUnknown), unknown, unknown
	for _, condition := range c.Status.Conditions {
		switch {
		case condition.Type == fedcommon.ClusterReady:
			ready, reason, message = string(condition.Status), textOf(condition.Reason), textOf(condition.Message)
		case reason == unknown && condition.Status == corev1.ConditionTrue:
			// KubeFed's controller says only Offline of a cluster that is.
			ready, reason, message = string(corev1.ConditionFalse), textOf(condition.Reason), textOf(condition.Message)
		}
	}
	age := unknown
	if !c.CreationTimestamp.IsZero() {
		age = duration.HumanDuration(now.Sub(c.CreationTimestamp.Time))
	}
	accelerators, found := c.Annotations[membership.AcceleratorsAnnotation]
	if found && accelerators == "" {
		accelerators = "none"
	}
	return []any{
		c.Name, ready, orUnknown(c.Status.KubernetesVersion), textOf(c.Status.Region),
		orUnknown(strings.Join(c.Status.Zones, ",")), orUnknown(c.Annotations[membership.NodesAnnotation]),
		orUnknown(accelerators), age, reason, orUnknown(c.Spec.APIEndpoint), message,
	}
}

func textOf(s *string) string {
	if s == nil {
		return unknown
	}
	return orUnknown(*s)
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}
