package fleetapi

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// secretToken is the token of the fleet's API server at every impostor.
const secretToken = "impostor-token-that-nobody-may-see"

// impostor is a server that the host takes for a member. It answers what makes it one, and
// to everything else what a spec says; it writes down what it was sent.
type impostor struct {
	*httptest.Server
	name string

	mu     sync.Mutex
	script http.HandlerFunc
	seen   []*http.Request
}

// enlist starts one, which lets users of the host in, until the spec ends.
func enlist(ctx context.Context, name string, script http.HandlerFunc) *impostor {
	GinkgoHelper()
	i := &impostor{name: name, script: script}
	i.Server = httptest.NewUnstartedServer(http.HandlerFunc(i.serve))
	i.EnableHTTP2 = true
	i.StartTLS()
	DeferCleanup(func() { i.CloseClientConnections(); i.Close() })
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	objects := []*unstructured.Unstructured{
		i.secret(name, "controller-token"), i.secret(name+"-fleet-access", secretToken),
		{Object: kit.Fields{
			"apiVersion": framework.KubeFedCluster.GroupVersion().String(), "kind": "KubeFedCluster",
			"metadata": kit.Fields{
				"namespace": framework.KubeFedNamespace, "name": name,
				"annotations": kit.Fields{reach.FleetAccessAnnotation: name + "-fleet-access", reach.ClusterUIDAnnotation: name},
			},
			"spec": kit.Fields{"apiEndpoint": i.URL, "caBundle": base64.StdEncoding.EncodeToString(ca), "secretRef": kit.Fields{"name": name}},
		}},
		kit.Parse(fmt.Sprintf(`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: %[1]s-fleet-access, namespace: %[2]s},
  rules: [{apiGroups: [""], resources: [secrets], resourceNames: [%[1]s-fleet-access], verbs: [get, patch]}]}`, name, framework.KubeFedNamespace)),
		kit.Parse(fmt.Sprintf(`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: %[1]s-fleet-access, namespace: %[2]s},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: %[1]s-fleet-access},
  subjects: [{kind: ServiceAccount, name: fedctl-fleet-api, namespace: %[2]s}]}`, name, framework.KubeFedNamespace)),
	}
	for _, object := range objects {
		Expect(host.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(host.Delete(ctx, object)).To(Succeed()) }, NodeTimeout(time.Minute))
	}
	Expect(system.WaitForMember(ctx, name, true)).To(Succeed())
	return i
}

func (i *impostor) secret(name, token string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: kit.Fields{
		"apiVersion": "v1", "kind": "Secret",
		"metadata": kit.Fields{
			"namespace": framework.KubeFedNamespace, "name": name, "labels": kit.Fields{reach.ClusterLabel: i.name},
			"annotations": kit.Fields{reach.ClusterUIDAnnotation: i.name},
		},
		"stringData": kit.Fields{"token": token},
	}}
}

func (i *impostor) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		_, _ = io.WriteString(w, "ok")
		return
	case "/version":
		_, _ = io.WriteString(w, `{"gitVersion":"v1.36.3"}`)
		return
	case "/api/v1/namespaces/kube-system":
		_, _ = fmt.Fprintf(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"kube-system","uid":%q}}`, i.name)
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+secretToken {
		http.Error(w, "not the fleet's API server", http.StatusNotFound) // the controller, which looks after it
		return
	}
	i.mu.Lock()
	i.seen = append(i.seen, r.Clone(context.WithoutCancel(r.Context())))
	script := i.script
	i.mu.Unlock()
	script(w, r)
}

// become changes what it answers.
func (i *impostor) become(script http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.script = script
}

// requests are those that came from the fleet's API server.
func (i *impostor) requests() []*http.Request {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]*http.Request(nil), i.seen...)
}

// last is the last of them; there must be one.
func (i *impostor) last() *http.Request {
	GinkgoHelper()
	all := i.requests()
	Expect(all).NotTo(BeEmpty(), "the member was sent nothing")
	return all[len(all)-1]
}

// fine answers as an API server might.
func fine(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Success"}`)
}

// everything is all headers as one text, to look for what must not be there.
func everything(h http.Header) string {
	var text strings.Builder
	_ = h.Write(&text)
	return text.String()
}
