package clusterprofile

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	inventoryv1alpha1 "sigs.k8s.io/cluster-inventory-api/apis/v1alpha1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/membership"
)

// Manager is who manages the ClusterProfiles that are ours.
const Manager = "fedctl"

// SecretReader is the access provider that reads a token from a Secret: the plugin of this
// name of sigs.k8s.io/cluster-inventory-api, run where it may read the member's Secret.
const SecretReader = "secretreader"

// execExtension is the extension whose content client-go hands to credential plugins.
const execExtension = "client.authentication.k8s.io/exec"

// Properties of a ClusterProfile. Those of resources end in the resource's name.
const (
	propertyPrefix      = "cluster.fedctl.io/"
	propertyRegion      = propertyPrefix + "region"
	propertyZones       = propertyPrefix + "zones"
	propertyNodes       = propertyPrefix + "nodes"
	propertyReadyNodes  = propertyPrefix + "ready-nodes"
	propertyAllocatable = propertyPrefix + "allocatable."
	propertyFree        = propertyPrefix + "free."
	propertyGrowth      = propertyPrefix + "growth."
)

// Bounds of the API: what is longer is left out, or cut.
const (
	mostOfName  = 253
	mostOfValue = 1024
)

// known is what a ClusterProfile is made of.
type known struct {
	cluster  *fedcorev1beta1.KubeFedCluster
	info     membership.Info
	facts    membership.Facts
	capacity *clusterv1alpha1.ClusterCapacity // nil: nothing is known of the nodes
}

// statusOf is what a ClusterProfile says of a member. previous is what it has said, whose
// times stay where nothing has changed.
func statusOf(k known, previous *inventoryv1alpha1.ClusterProfileStatus, now time.Time) inventoryv1alpha1.ClusterProfileStatus {
	status := inventoryv1alpha1.ClusterProfileStatus{
		Conditions: slices.Clone(previous.Conditions),
		Version:    inventoryv1alpha1.ClusterVersion{Kubernetes: k.facts.KubernetesVersion},
	}
	meta.SetStatusCondition(&status.Conditions, healthOf(k.info, now))
	status.Properties = propertiesOf(k, previous.Properties, now)
	if access := accessOf(k.cluster); access != nil {
		status.AccessProviders = []inventoryv1alpha1.AccessProvider{*access}
	}
	return status
}

func healthOf(info membership.Info, now time.Time) metav1.Condition {
	health := metav1.Condition{
		Type: inventoryv1alpha1.ClusterConditionControlPlaneHealthy, Status: metav1.ConditionUnknown,
		Reason: info.Reason, Message: errtext.Bounded(info.Message, errtext.Cluster), LastTransitionTime: metav1.NewTime(now),
	}
	switch {
	case info.Ready:
		health.Status = metav1.ConditionTrue
	case info.Probed:
		health.Status = metav1.ConditionFalse
	}
	if health.Reason == "" {
		health.Reason = "NotProbed"
	}
	return health
}

// propertiesOf are what is known of a member, by name.
func propertiesOf(k known, previous []inventoryv1alpha1.Property, now time.Time) []inventoryv1alpha1.Property {
	values := map[string]string{}
	if nodes := k.facts.Nodes; nodes != nil {
		values[propertyRegion], values[propertyZones] = nodes.Region, strings.Join(nodes.Zones, ",")
	}
	if k.capacity != nil && len(k.capacity.Status.Conditions) > 0 {
		values[propertyNodes], values[propertyReadyNodes] = strconv.Itoa(int(k.capacity.Status.Nodes)), strconv.Itoa(int(k.capacity.Status.ReadyNodes))
		for i := range k.capacity.Status.Resources {
			total := &k.capacity.Status.Resources[i]
			values[propertyAllocatable+total.Resource] = total.Allocatable.String()
			values[propertyFree+total.Resource], values[propertyGrowth+total.Resource] = text(total.Free), text(total.Growth)
		}
	}
	properties := []inventoryv1alpha1.Property{}
	for name, value := range values {
		if value == "" || len(name) > mostOfName {
			continue
		}
		property := inventoryv1alpha1.Property{Name: name, Value: errtext.Bounded(value, mostOfValue), LastObservedTime: metav1.NewTime(now.Truncate(time.Second))}
		i := slices.IndexFunc(previous, func(p inventoryv1alpha1.Property) bool { return p.Name == name && p.Value == property.Value })
		if i >= 0 {
			property.LastObservedTime = previous[i].LastObservedTime // seeing the same again is no news
		}
		properties = append(properties, property)
	}
	slices.SortFunc(properties, func(a, b inventoryv1alpha1.Property) int { return strings.Compare(a.Name, b.Name) })
	return properties
}

func text(q *resource.Quantity) string {
	if q == nil {
		return ""
	}
	return q.String()
}

// accessOf leads to a member with the token of its Secret; nil where it has none, because a
// credential plugin of the controller gives the token. There is never a secret in it.
func accessOf(cluster *fedcorev1beta1.KubeFedCluster) *inventoryv1alpha1.AccessProvider {
	if cluster.Spec.SecretRef.Name == "" {
		return nil
	}
	// The plugin reads the Secret of this name.
	config, err := json.Marshal(map[string]string{"clusterName": cluster.Spec.SecretRef.Name})
	if err != nil {
		return nil
	}
	return &inventoryv1alpha1.AccessProvider{Name: SecretReader, Cluster: clientcmdv1.Cluster{
		Server: cluster.Spec.APIEndpoint, CertificateAuthorityData: cluster.Spec.CABundle, ProxyURL: cluster.Spec.ProxyURL,
		InsecureSkipTLSVerify: slices.Contains(cluster.Spec.DisabledTLSValidations, fedcorev1beta1.TLSAll),
		Extensions:            []clientcmdv1.NamedExtension{{Name: execExtension, Extension: runtime.RawExtension{Raw: config}}},
	}}
}
