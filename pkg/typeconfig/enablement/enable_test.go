package enablement

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

func TestConflict(t *testing.T) {
	deployment := metav1.APIResource{Group: "apps", Version: "v1", Kind: "Deployment", Name: "deployments", Namespaced: true}
	old := metav1.APIResource{Group: "extensions", Version: "v1beta1", Kind: "Deployment", Name: "deployments", Namespaced: true}
	foreign := metav1.APIResource{Group: "example.com", Version: "v1", Kind: "Deployment", Name: "deployments", Namespaced: true}
	newer := deployment
	newer.Version = "v2"
	elsewhere := Directive{Spec: DirectiveSpec{FederatedGroup: "fed.example.com"}}
	existing := TypeConfigFor(deployment, Directive{})
	for _, test := range []struct {
		name   string
		wanted *fedcorev1beta1.FederatedTypeConfig
		want   string
	}{
		{"the same", TypeConfigFor(deployment, Directive{}), ""},
		{"a newer version of the target", TypeConfigFor(newer, Directive{}), ""},
		{"another federated type for it", TypeConfigFor(deployment, elsewhere), "already enabled with the federated type federateddeployments.types.kubefed.io/v1beta1"},
		{"the same objects in another group", TypeConfigFor(old, elsewhere), "the same objects in another group"},
		{"the same federated type", TypeConfigFor(foreign, Directive{}), "choose another group with --federated-group"},
		{"the same kind, another federated group", TypeConfigFor(foreign, elsewhere), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := conflict(test.wanted, existing)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
