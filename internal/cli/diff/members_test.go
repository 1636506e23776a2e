package diff

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/propagation/member"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// aMember is a server that says who it is, and breaks off whatever else it is asked. It
// counts that.
func aMember(t *testing.T, uid string) (kfc *fedcorev1beta1.KubeFedCluster, secret *corev1.Secret, broken *atomic.Int32) {
	broken = &atomic.Int32{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz":
			_, _ = w.Write([]byte("ok"))
		case "/api/v1/namespaces/kube-system":
			_, _ = w.Write([]byte(`{"metadata":{"uid":"` + uid + `"}}`))
		default:
			broken.Add(1)
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(server.Close)
	kfc = &fedcorev1beta1.KubeFedCluster{}
	kfc.Name, kfc.Namespace = "berlin", "kube-federation-system"
	kfc.Annotations = map[string]string{reach.ClusterUIDAnnotation: "mine"}
	kfc.Spec.APIEndpoint = server.URL
	kfc.Spec.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	kfc.Spec.SecretRef.Name = "berlin"
	return kfc, &corev1.Secret{Data: map[string][]byte{reach.TokenKey: []byte("t")}}, broken
}

func TestAnotherClusterIsNotAsked(t *testing.T) {
	for uid, want := range map[string]string{"mine": "", "": "", "another": "is another cluster (another) than the one that joined (mine)"} {
		kfc, secret, _ := aMember(t, uid)
		err := identify(t.Context(), kfc, secret)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", uid, err, want)
		}
	}
}

func TestAMemberThatDoesNotAnswerIsGivenUpOnce(t *testing.T) {
	kfc, secret, broken := aMember(t, "mine")
	config, err := reach.ClientConfig(kfc, secret, patience)
	if err != nil {
		t.Fatal(err)
	}
	d := &dialled{kfc: kfc, dry: member.NewDryRun(metadata.NewForConfigOrDie(config), dynamic.NewForConfigOrDie(config),
		discovery.NewDiscoveryClientForConfigOrDie(config).RESTClient(), patience)}
	m := &members{known: map[string]*dialled{"berlin": d}}
	resource := typeconfig.Resource{
		GVR: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, GVK: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Namespaced: true,
	}
	p := &preview.Preview{Type: typeconfig.Type{Target: resource}, Namespace: "shop", Name: "web"}
	var asked int32
	for i := range 3 {
		c := &change{}
		m.remove(t.Context(), p, "berlin", c)
		if c.err == nil || !strings.Contains(c.err.Error(), strings.TrimPrefix(kfc.Spec.APIEndpoint, "https://")) {
			t.Errorf("the error does not name the address: %v", c.err)
		}
		if i == 0 {
			asked = broken.Load()
		}
	}
	if asked == 0 || broken.Load() != asked {
		t.Errorf("asked %d times at first, %d in all", asked, broken.Load())
	}
}

func TestRightsByNamespaceAreNotRenewedByJoining(t *testing.T) {
	kfc, _, _ := aMember(t, "mine")
	lacking := apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "web", context.Canceled)
	lacking.ErrStatus.Message = `configmaps "web" is forbidden: User "x" cannot patch resource "configmaps" in API group "" in the namespace "shop"`
	ref := member.Ref{Resource: typeconfig.Resource{Namespaced: true}, Key: types.NamespacedName{Namespace: "shop", Name: "web"}}
	for annotation, want := range map[string]string{"": "fedctl join berlin renews its rights", "kube-federation-system/berlin-host": "the controller has none in shop"} {
		kfc.Annotations[reach.NamespaceRightsAnnotation] = annotation
		if got := (&dialled{kfc: kfc}).explain(lacking, ref).Error(); !strings.Contains(got, want) || annotation != "" && strings.Contains(got, "renews") {
			t.Errorf("%q: got %q", annotation, got)
		}
	}
}
