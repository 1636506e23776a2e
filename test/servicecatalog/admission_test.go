package servicecatalog

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// admit registers a stand-in for Service Catalog's webhook in a member.
func admit(ctx context.Context, c *framework.Cluster) {
	GinkgoHelper()
	server := httptest.NewTLSServer(http.HandlerFunc(serveAdmission))
	DeferCleanup(server.Close)
	Expect(c.Create(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "service-catalog-webhook"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "mutating.servicecatalog.k8s.io",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: ptr.To(server.URL), CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1beta1"}, Resources: []string{"serviceinstances", "servicebindings"}},
			}},
			SideEffects: ptr.To(admissionregistrationv1.SideEffectClassNone), AdmissionReviewVersions: []string{"v1"},
		}},
	})).To(Succeed())
}

func serveAdmission(w http.ResponseWriter, r *http.Request) {
	review := &admissionv1.AdmissionReview{}
	err := json.NewDecoder(r.Body).Decode(review)
	object, old := &unstructured.Unstructured{}, &unstructured.Unstructured{Object: kit.Fields{}}
	if err == nil {
		err = json.Unmarshal(review.Request.Object.Raw, &object.Object)
	}
	if err == nil && review.Request.Operation == admissionv1.Update {
		err = json.Unmarshal(review.Request.OldObject.Raw, &old.Object)
	}
	if err != nil {
		http.Error(w, fmt.Sprintf("no AdmissionReview: %v", err), http.StatusBadRequest)
		return
	}
	mutate(object, old, review.Request)
	patch, err := json.Marshal([]kit.Fields{
		{"op": "add", "path": "/spec", "value": object.Object["spec"]},
		{"op": "add", "path": "/metadata/finalizers", "value": append([]string{}, object.GetFinalizers()...)},
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, Patch: patch, PatchType: ptr.To(admissionv1.PatchTypeJSONPatch)}
	review.Request = nil
	_ = json.NewEncoder(w).Encode(review) // an API server that is gone needs no answer
}

// mutate is what Service Catalog's webhook does to an instance or a binding that is written.
//
// Source: pkg/webhook/servicecatalog/{serviceinstance,servicebinding}/mutation/handler.go in
// github.com/kubernetes-sigs/service-catalog v0.3.1.
func mutate(object, old *unstructured.Unstructured, request *admissionv1.AdmissionRequest) {
	spec, was := specOf(object), specOf(old)
	user := kit.Fields{"username": request.UserInfo.Username, "uid": request.UserInfo.UID}
	switch isBinding := object.GetKind() == "ServiceBinding"; {
	case request.Operation == admissionv1.Create:
		if spec["externalID"] == nil {
			spec["externalID"] = string(uuid.NewUUID())
		}
		if isBinding && spec["secretName"] == nil {
			spec["secretName"] = object.GetName()
		}
		delete(spec, "clusterServiceClassRef")
		delete(spec, "clusterServicePlanRef")
		spec["userInfo"] = user
		object.SetFinalizers([]string{finalizer})
	case isBinding: // it cannot be changed, and nothing is refused
		object.Object["spec"] = old.Object["spec"]
	default:
		if spec["clusterServicePlanExternalName"] != was["clusterServicePlanExternalName"] {
			delete(spec, "clusterServicePlanRef")
		}
		if !reflect.DeepEqual(spec, was) {
			spec["userInfo"] = user
		}
	}
}

func specOf(u *unstructured.Unstructured) kit.Fields {
	spec, _ := u.Object["spec"].(kit.Fields)
	return spec
}
