package webhook

import (
	"context"
	"encoding/json"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// defaulter fills in what a KubeFedConfig leaves out, and touches nothing else of
// the object.
type defaulter struct{}

// Handle answers one admission request.
func (defaulter) Handle(_ context.Context, request admission.Request) admission.Response {
	config := &fedcorev1beta1.KubeFedConfig{}
	fields := map[string]any{}
	for _, into := range []any{config, &fields} {
		if err := json.Unmarshal(request.Object.Raw, into); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
	}
	kubefedconfig.Default(&config.Spec)
	fields["spec"] = config.Spec
	defaulted, err := json.Marshal(fields)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, defaulted)
}
