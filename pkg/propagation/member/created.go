package member

import (
	"context"
	"encoding/json"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fedctl/fedctl/pkg/federate"
)

// A namespace that was in the member before the federation holds what is none of the
// federation's, so it is never deleted with a federated object. Which are ours is noted
// in the member, where nobody writes who may only write what is in the namespace; and it
// is noted by the request that creates it, which fails if it is there: there is no moment
// at which somebody else's could be taken for ours. What is noted nowhere is kept.

var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// creatingManager owns what only the creation writes. It is not that of applies, which
// would take the note away again.
const creatingManager = federate.FieldManager + "-created"

var (
	nameLabelPath  = fieldpath.MakePathOrDie("metadata", "labels", corev1.LabelMetadataName)
	createdPointer = "/metadata/annotations/" + strings.ReplaceAll(federate.CreatedAnnotation, "/", "~1")
)

// noteCreation creates the namespace that is to be applied, if it is not there.
func (w *application) noteCreation(ctx context.Context) ApplyResult {
	if w.Resource.GVR != namespaces || w.Live != nil {
		return nil
	}
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(w.Key.Name)
	namespace.SetAnnotations(map[string]string{federate.CreatedAnnotation: "true"})
	// With our label, it goes with its federated object also where the member refuses the rest.
	namespace.SetLabels(map[string]string{federate.ManagedLabel: "true"})
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	_, err := w.whole(w.Ref).Create(ctx, namespace, metav1.CreateOptions{FieldManager: creatingManager, DryRun: w.dryRun()})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return failed(err)
	}
	return nil
}

// noteKubeFeds adds to the patch with which a namespace is taken over that KubeFed has
// created it: the label that API servers give each new one is owned by who created it.
func noteKubeFeds(namespace *unstructured.Unstructured, patch []byte) ([]byte, error) {
	if !createdBy(namespace, kubeFedManagers.Has) {
		return patch, nil
	}
	var operations []map[string]any
	if err := json.Unmarshal(patch, &operations); err != nil {
		return nil, err
	}
	if namespace.GetAnnotations() == nil {
		operations = append(operations, map[string]any{"op": "add", "path": "/metadata/annotations", "value": map[string]string{}})
	}
	operations = append(operations, map[string]any{"op": "add", "path": createdPointer, "value": "true"})
	return json.Marshal(operations)
}

func createdBy(namespace *unstructured.Unstructured, who func(manager string) bool) bool {
	for _, entry := range namespace.GetManagedFields() {
		if fields, err := federate.FieldsOf(&entry); err == nil && who(entry.Manager) && fields.Has(nameLabelPath) {
			return true
		}
	}
	return false
}
