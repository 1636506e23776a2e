package view

import (
	"cmp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/reach"
)

// ClusterRow is a member cluster and how it fares. What is empty is not known.
type ClusterRow struct {
	Name string `json:"name"`
	// Ready is True, False or Unknown.
	Ready   string   `json:"ready"`
	Reason  string   `json:"reason,omitempty"`
	Message string   `json:"message,omitempty"`
	Version string   `json:"version,omitempty"`
	Region  string   `json:"region,omitempty"`
	Zones   []string `json:"zones,omitempty"`
	// Nodes is how many there are.
	Nodes string `json:"nodes,omitempty"`
	// Accelerators are how many can be allocated of each kind, over all nodes, or "none".
	Accelerators string `json:"accelerators,omitempty"`
	Endpoint     string `json:"endpoint,omitempty"`
	// TokenExpires is when the token ends that the controller works with.
	TokenExpires      string      `json:"tokenExpires,omitempty"`
	CreationTimestamp metav1.Time `json:"creationTimestamp"`
}

// AwaitsJoin is the reason of a cluster that was imported, and AwaitsJoinMessage says what that is.
const (
	AwaitsJoin        = "AwaitsJoin"
	AwaitsJoinMessage = "it was imported from another host and has not joined this one"
)

// Cluster reads what the controller says of a member.
func Cluster(c *fedcorev1beta1.KubeFedCluster) ClusterRow {
	r := ClusterRow{
		Name: c.Name, Ready: string(corev1.ConditionUnknown), Version: c.Status.KubernetesVersion,
		Region: ptr.Deref(c.Status.Region, ""), Zones: c.Status.Zones, Nodes: c.Annotations[membership.NodesAnnotation],
		Endpoint: c.Spec.APIEndpoint, TokenExpires: c.Annotations[reach.TokenExpiresAnnotation], CreationTimestamp: c.CreationTimestamp,
	}
	for _, condition := range c.Status.Conditions {
		reason, message := ptr.Deref(condition.Reason, ""), ptr.Deref(condition.Message, "")
		switch {
		case condition.Type == fedcommon.ClusterReady:
			r.Ready, r.Reason, r.Message = string(condition.Status), reason, message
		case r.Reason == "" && condition.Status == corev1.ConditionTrue:
			// KubeFed's controller says only Offline of a cluster that is.
			r.Ready, r.Reason, r.Message = string(corev1.ConditionFalse), reason, message
		}
	}
	if reach.AwaitsJoin(c) && r.Ready != string(corev1.ConditionTrue) {
		r.Reason, r.Message = AwaitsJoin, AwaitsJoinMessage+": fedctl join "+c.Name+" --cluster-context CONTEXT --take-over"
	}
	if accelerators, found := c.Annotations[membership.AcceleratorsAnnotation]; found {
		r.Accelerators = cmp.Or(accelerators, "none")
	}
	return r
}

// Clusters reads what the controller says of members.
func Clusters(clusters []fedcorev1beta1.KubeFedCluster) []ClusterRow {
	rows := make([]ClusterRow, len(clusters))
	for i := range clusters {
		rows[i] = Cluster(&clusters[i])
	}
	return rows
}

// ClusterColumns are the columns of a ClusterTable.
func ClusterColumns() []metav1.TableColumnDefinition {
	return Columns(9, "Name", "Ready", "Version", "Region", "Zones", "Nodes", "Accelerators", "Age", "Reason", "Endpoint", "Token-Ends", "Message")
}

// ClusterTable lays the clusters out, one row each. now is for their ages.
func ClusterTable(rows []ClusterRow, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: ClusterColumns()}
	for i := range rows {
		r := &rows[i]
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{
			r.Name, r.Ready, Text(r.Version), Text(r.Region), Text(strings.Join(r.Zones, ",")), Text(r.Nodes),
			Text(r.Accelerators), Age(r.CreationTimestamp, now), Text(r.Reason), Text(errtext.Address(r.Endpoint)), Text(r.TokenExpires), Text(r.Message),
		}})
	}
	return table
}
