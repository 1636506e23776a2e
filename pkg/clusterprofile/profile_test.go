package clusterprofile

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	inventoryv1alpha1 "sigs.k8s.io/cluster-inventory-api/apis/v1alpha1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/membership"
)

func oslo() known {
	k := known{
		cluster: &fedcorev1beta1.KubeFedCluster{Spec: fedcorev1beta1.KubeFedClusterSpec{
			APIEndpoint: "https://oslo:6443", CABundle: []byte("ca"), ProxyURL: "http://proxy:3128", SecretRef: fedcorev1beta1.LocalSecretReference{Name: "oslo-x1"},
		}},
		info:  membership.Info{Probed: true, Ready: true, Reason: "ClusterReady", Message: "/healthz responded with ok"},
		facts: membership.Facts{KubernetesVersion: "v1.36.3", Nodes: &membership.Nodes{Region: "eu", Zones: []string{"a", "b"}}},
		capacity: &clusterv1alpha1.ClusterCapacity{Status: clusterv1alpha1.ClusterCapacityStatus{
			Nodes: 3, ReadyNodes: 2, Conditions: []metav1.Condition{{Type: clusterv1alpha1.ConditionKnown}},
			Resources: []clusterv1alpha1.Total{
				{Resource: "cpu", Allocatable: resource.MustParse("12")},
				{Resource: "nvidia.com/gpu", Allocatable: resource.MustParse("16"), Free: ptr.To(resource.MustParse("5")), Growth: ptr.To(resource.MustParse("48"))},
				{Resource: "example.com/" + strings.Repeat("x", 300), Allocatable: resource.MustParse("1")},
			},
		}},
	}
	return k
}

func words(status inventoryv1alpha1.ClusterProfileStatus) string {
	words := make([]string, len(status.Properties))
	for i, p := range status.Properties {
		words[i] = strings.TrimPrefix(p.Name, propertyPrefix) + "=" + p.Value
	}
	return strings.Join(words, " ")
}

func TestStatusOf(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	first := statusOf(oslo(), &inventoryv1alpha1.ClusterProfileStatus{}, now)
	if want := "allocatable.cpu=12 allocatable.nvidia.com/gpu=16 free.nvidia.com/gpu=5 growth.nvidia.com/gpu=48 nodes=3 ready-nodes=2 region=eu zones=a,b"; words(first) != want {
		t.Errorf("got %s", words(first))
	}
	if first.Version.Kubernetes != "v1.36.3" || first.Conditions[0].Status != metav1.ConditionTrue {
		t.Errorf("got %+v", first)
	}
	access := first.AccessProviders[0]
	if access.Name != "secretreader" || access.Cluster.Server != "https://oslo:6443" || string(access.Cluster.CertificateAuthorityData) != "ca" ||
		access.Cluster.ProxyURL != "http://proxy:3128" || access.Cluster.InsecureSkipTLSVerify || string(access.Cluster.Extensions[0].Extension.Raw) != `{"clusterName":"oslo-x1"}` {
		t.Errorf("got %+v", access)
	}

	// The same again is no news, whenever it is seen.
	if again := statusOf(oslo(), &first, now.Add(time.Hour)); !equality.Semantic.DeepEqual(first, again) {
		t.Errorf("got %+v\nthen %+v", first, again)
	}
	k := oslo()
	k.capacity.Status.Resources[1].Free = ptr.To(resource.MustParse("4"))
	for _, p := range statusOf(k, &first, now.Add(time.Hour)).Properties {
		if changed := p.Name == "cluster.fedctl.io/free.nvidia.com/gpu"; changed != p.LastObservedTime.After(now) {
			t.Errorf("%s was observed at %v", p.Name, p.LastObservedTime)
		}
	}
}

// TestStatusOfWhatIsNotKnown: nothing is made up.
func TestStatusOfWhatIsNotKnown(t *testing.T) {
	k := oslo()
	k.capacity, k.facts, k.info, k.cluster.Spec.SecretRef.Name = nil, membership.Facts{}, membership.Info{}, ""
	status := statusOf(k, &inventoryv1alpha1.ClusterProfileStatus{}, time.Now())
	if len(status.Properties) > 0 || len(status.AccessProviders) > 0 || status.Conditions[0].Status != metav1.ConditionUnknown || status.Conditions[0].Reason == "" {
		t.Errorf("got %+v", status)
	}
	k.info = membership.Info{Probed: true, Reason: "ClusterNotReachable", Message: strings.Repeat("\x1b", 1<<20)}
	if health := statusOf(k, &status, time.Now()).Conditions[0]; health.Status != metav1.ConditionFalse || len(health.Message) > 2<<10 || strings.Contains(health.Message, "\x1b") {
		t.Errorf("got %+v", health)
	}
}
