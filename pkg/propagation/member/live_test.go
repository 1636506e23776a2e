package member

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/federate"
)

func wrote(manager string, operation metav1.ManagedFieldsOperationType, subresource, fields string) metav1.ManagedFieldsEntry {
	at := metav1.NewTime(time.Unix(1_700_000_000, 0))
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Subresource: subresource, APIVersion: "apps/v1", Time: &at,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func TestWhoHoldsReplicas(t *testing.T) {
	const apply, update = metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	const replicas, other = `{"f:spec":{"f:replicas":{}}}`, `{"f:spec":{"f:paused":{}}}`
	ours := wrote(federate.FieldManager, apply, "", replicas)
	scaler := wrote("kube-controller-manager", update, "scale", replicas)
	for name, test := range map[string]struct {
		entries []metav1.ManagedFieldsEntry
		want    bool
	}{
		"nobody":                        {nil, false},
		"we":                            {[]metav1.ManagedFieldsEntry{ours}, false},
		"an autoscaler":                 {[]metav1.ManagedFieldsEntry{wrote(federate.FieldManager, apply, "", other), scaler}, true},
		"both":                          {[]metav1.ManagedFieldsEntry{ours, scaler}, false},
		"we, for the member":            {[]metav1.ManagedFieldsEntry{wrote(retainingManager, apply, "", replicas)}, true},
		"somebody, by hand":             {[]metav1.ManagedFieldsEntry{wrote("kubectl-edit", update, "", replicas)}, true},
		"an earlier KubeFed":            {[]metav1.ManagedFieldsEntry{wrote("controller-manager", update, "", replicas)}, false},
		"those of the status":           {[]metav1.ManagedFieldsEntry{wrote("kube-controller-manager", update, "status", `{"f:status":{"f:replicas":{}}}`)}, false},
		"those of something else in it": {[]metav1.ManagedFieldsEntry{wrote("x", update, "", `{"f:spec":{"f:driver":{"f:replicas":{}}}}`)}, false},
		"what cannot be read":           {[]metav1.ManagedFieldsEntry{wrote("x", update, "", `{"f:spec":["f:replicas"`+"{}")}, false},
	} {
		object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ManagedFields: test.entries}}
		if got := LiveOf(object).Scaled; got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Who scales again leaves no other trace than that of the first time: it is not to be taken
// for a write of another host.
func TestContentOfWhatWasScaled(t *testing.T) {
	content := func(generation int64, entries ...metav1.ManagedFieldsEntry) uint64 {
		return LiveOf(&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Generation: generation, ManagedFields: entries}}).Content
	}
	scaler := wrote("kube-controller-manager", metav1.ManagedFieldsOperationUpdate, "scale", `{"f:spec":{"f:replicas":{}}}`)
	if content(1, scaler) != content(2, scaler) {
		t.Error("it differs with what an autoscaler does")
	}
	if content(1) == content(2) {
		t.Error("it does not differ with what is in the object")
	}
}
