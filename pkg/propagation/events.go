package propagation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/federate"
)

// eventSender sends the engine's events.
type eventSender struct {
	recorder *eventnote.Recorder
	// namespace is that of the KubeFedClusters and FederatedTypeConfigs.
	namespace string
}

// warning is what an event says; cluster may be empty.
type warning struct{ cluster, reason, message string }

// severity is that of an event: to wait for an object to go is nothing wrong, and neither
// is one that is done, or that an autoscaler scales.
func (w warning) severity() string {
	switch w.reason {
	case reasonLeft, reasonGone, reasonFromAgainOn:
		return corev1.EventTypeNormal
	}
	switch federate.PropagationStatus(w.reason) {
	case federate.WaitingForRemoval, federate.Completed:
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

// warn sends events on a federated object.
func (s *eventSender) warn(t *runningType, fed *federated, warnings []warning) {
	if len(warnings) == 0 {
		return
	}
	about := &metav1.PartialObjectMetadata{}
	about.SetGroupVersionKind(t.Federated.GVK)
	about.Namespace, about.Name, about.UID = fed.Namespace, fed.Name, fed.UID
	for _, w := range warnings {
		s.recorder.Eventf(about, s.related(w.cluster), w.severity(), w.reason, "Propagate", "%s", w.message)
	}
}

// related is the cluster an event is about as well. Without it, events with the
// same reason for several clusters would be one series, which shows the first alone.
func (s *eventSender) related(cluster string) runtime.Object {
	if cluster == "" {
		return nil
	}
	c := &metav1.PartialObjectMetadata{}
	c.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"))
	c.Namespace, c.Name = s.namespace, cluster
	return c
}

// warnStatusType sends an event on the FederatedTypeConfig about its status type.
func (s *eventSender) warnStatusType(t *runningType, err error) {
	message := err.Error()
	if apierrors.IsForbidden(err) {
		message += fmt.Sprintf("; grant the controller list, watch, create and patch on %s", t.StatusObjects.GVR.GroupResource())
	}
	about := &metav1.PartialObjectMetadata{}
	about.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("FederatedTypeConfig"))
	about.Namespace, about.Name = s.namespace, t.Name
	s.recorder.Eventf(about, nil, "Warning", "StatusTypeFailed", "Propagate", "%s", message)
}
