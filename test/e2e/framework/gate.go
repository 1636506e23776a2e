package framework

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Gate is an admission webhook of a cluster's owner, which lets the federation's
// writes pass, keeps them waiting, or refuses them, while the cluster is as healthy
// as ever. The cluster's API server has to run on this machine.
type Gate struct {
	// Configuration is to be deleted from the cluster before Close.
	Configuration *admissionregistrationv1.ValidatingWebhookConfiguration

	server *httptest.Server
	asked  atomic.Int64

	mu     sync.Mutex
	held   chan struct{} // closed when writes may pass; nil if they may
	denied string
}

// NewGate makes the webhook for writes of a resource in a namespace, or of that
// namespace itself; the caller creates its Configuration in the cluster.
func NewGate(name, group, resource, namespace string) *Gate {
	g := &Gate{}
	g.server = httptest.NewTLSServer(http.HandlerFunc(g.serve))
	g.Configuration = &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: name + ".example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      ptr.To(g.server.URL),
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: []string{resource}},
			}},
			// The owner's own writes pass, and so does the probe whether the webhook works.
			MatchConditions: []admissionregistrationv1.MatchCondition{{
				Name:       "federation",
				Expression: "request.dryRun || 'system:serviceaccounts:" + KubeFedNamespace + "' in request.userInfo.groups",
			}},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			TimeoutSeconds:          ptr.To[int32](30),
			FailurePolicy:           ptr.To(admissionregistrationv1.Ignore),
			SideEffects:             ptr.To(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
	return g
}

// Asked is how many writes the API server has asked about.
func (g *Gate) Asked() int64 { return g.asked.Load() }

// Hold keeps writes waiting from now on.
func (g *Gate) Hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == nil {
		g.held = make(chan struct{})
	}
}

// Deny refuses writes from now on, with the reason; "" lets them pass.
func (g *Gate) Deny(reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.denied = reason
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

// Open lets all writes pass, those that wait included.
func (g *Gate) Open() { g.Deny("") }

// Close ends the webhook.
func (g *Gate) Close() {
	g.Open()
	g.server.CloseClientConnections()
	g.server.Close()
}

func (g *Gate) wait(ctx context.Context) string {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.denied
}

func (g *Gate) serve(w http.ResponseWriter, r *http.Request) {
	review := &admissionv1.AdmissionReview{}
	if err := json.NewDecoder(r.Body).Decode(review); err != nil || review.Request == nil {
		http.Error(w, fmt.Sprintf("no AdmissionReview: %v", err), http.StatusBadRequest)
		return
	}
	g.asked.Add(1)
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if denied := g.wait(r.Context()); denied != "" {
		review.Response.Allowed, review.Response.Result = false, &metav1.Status{Message: denied}
	}
	review.Request = nil
	_ = json.NewEncoder(w).Encode(review) // an API server that is gone needs no answer
}
