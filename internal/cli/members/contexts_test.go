package members

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

// A context is a member's only if the same cluster answers there: its name proves nothing.
func TestAContextHasToLeadToTheClusterThatHasJoined(t *testing.T) {
	for name, c := range map[string]struct {
		noted, endpoint, authority  string
		uid, address, fromAuthority string
		leads                       bool
	}{
		"the same cluster at another address": {noted: "u", endpoint: "https://a.example", uid: "u", address: "https://b.example", leads: true},
		"another cluster at the same address": {noted: "u", endpoint: "https://a.example", uid: "v", address: "https://a.example"},
		"unreadable, the same address":        {noted: "u", endpoint: "https://a.example/", address: "https://a.example", leads: true},
		"unreadable, another address":         {noted: "u", endpoint: "https://a.example", address: "https://b.example"},
		"unreadable, another authority":       {noted: "u", endpoint: "https://a.example", authority: "x", address: "https://a.example", fromAuthority: "y"},
		"unreadable, this machine":            {noted: "u", endpoint: "https://127.0.0.1:6443", address: "https://127.0.0.1:6443"},
		"unreadable, this machine by name":    {noted: "u", endpoint: "https://localhost:6443", address: "https://localhost:6443"},
		"not noted, the same address":         {endpoint: "https://a.example", uid: "u", address: "https://a.example", leads: true},
		"not noted, another address":          {endpoint: "https://a.example", uid: "u", address: "https://b.example"},
	} {
		kfc := &fedcorev1beta1.KubeFedCluster{ObjectMeta: metav1.ObjectMeta{Name: "m", Annotations: map[string]string{reach.ClusterUIDAnnotation: c.noted}}}
		kfc.Spec.APIEndpoint, kfc.Spec.CABundle = c.endpoint, []byte(c.authority)
		if err := judge(kfc, c.uid, c.address, []byte(c.fromAuthority)); (err == nil) != c.leads {
			t.Errorf("%s: %v", name, err)
		}
	}
}
