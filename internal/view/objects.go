package view

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

// Values of ObjectRow.Propagated beside those of the condition.
const (
	Pending  = "Pending"
	Deleting = "Deleting"
	Deleted  = "Deleted"
)

// ObjectRow is a federated object and its state.
type ObjectRow struct {
	// Type is the name of the FederatedTypeConfig.
	Type       string `json:"type"`
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	// Propagated is True, False, Pending, Deleting or Deleted.
	Propagated string `json:"propagated"`
	Reason     string `json:"reason,omitempty"`
	Message    string `json:"message,omitempty"`
	// Ready is True, False, Unknown or Pending; empty where the status says nothing of it.
	Ready        string `json:"ready,omitempty"`
	ReadyReason  string `json:"readyReason,omitempty"`
	ReadyMessage string `json:"readyMessage,omitempty"`
	// Problem is set while something in the spec is wrong that did not stop propagation.
	Problem            *Problem        `json:"problem,omitempty"`
	Generation         int64           `json:"generation,omitempty"`
	ObservedGeneration int64           `json:"observedGeneration,omitempty"`
	CreationTimestamp  metav1.Time     `json:"creationTimestamp"`
	Clusters           []ObjectCluster `json:"clusters"`
	// NoLeaderSince is set while no controller keeps all this up to date.
	NoLeaderSince *metav1.Time `json:"noLeaderSince,omitempty"`
}

// Problem is something wrong in a spec.
type Problem struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// ObjectCluster is the state in a cluster where the object is placed.
type ObjectCluster struct {
	Name string `json:"name"`
	// Status is OK or one of the words of federate.PropagationStatus.
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Version string `json:"version,omitempty"`
	// AlsoWrittenBy names other managers, and what they have written of the object there.
	AlsoWrittenBy string `json:"alsoWrittenBy,omitempty"`
	// Autoscaling says whose the replicas are, where an autoscaler there decides on them, or
	// has; empty where they are the template's.
	Autoscaling string `json:"autoscaling,omitempty"`
	// Health is how the object fares there; nil where that is not collected.
	Health *ObjectHealth `json:"health,omitempty"`
}

// ObjectHealth is how an object fares in a cluster.
type ObjectHealth struct {
	// Status is one of the words of workload.HealthStatus.
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

// StatusOK is how a cluster is called where all is well.
const StatusOK = "OK"

// Object reads what the controller says of an object, and no more: what it has not
// yet seen is Pending. typeName is the name of its FederatedTypeConfig, and kind that
// of the federated type.
func Object(typeName string, kind schema.GroupVersionKind, u *unstructured.Unstructured) ObjectRow {
	o, parseErr := federate.Parse(u)
	r := ObjectRow{
		Type:               typeName,
		APIVersion:         kind.GroupVersion().String(),
		Kind:               kind.Kind,
		Namespace:          o.Namespace,
		Name:               o.Name,
		Propagated:         Pending,
		Generation:         o.Generation,
		ObservedGeneration: o.Status.ObservedGeneration,
		CreationTimestamp:  u.GetCreationTimestamp(),
		Clusters:           []ObjectCluster{},
	}
	if condition := o.Status.Condition(federate.ConditionPropagation); condition != nil {
		r.Reason, r.Message = condition.Reason, condition.Message
		if condition.Status == federate.ConditionFalse && condition.Message == "" {
			r.Message = noMessage(typeName)
		}
		if o.Status.ObservedGeneration == o.Generation {
			r.Propagated = condition.Status
		}
	}
	if condition := o.Status.Condition(federate.ConditionReady); condition != nil {
		r.Ready, r.ReadyReason, r.ReadyMessage = condition.Status, condition.Reason, condition.Message
		if o.Status.ObservedGeneration != o.Generation {
			r.Ready = Pending
		}
	}
	if parseErr != nil && r.Message == "" {
		r.Message = parseErr.Error()
	}
	if o.Deleting {
		r.Propagated = Deleting
	}
	if condition := o.Status.Condition(federate.ConditionAccepted); condition != nil && condition.Status == federate.ConditionFalse {
		r.Problem = &Problem{Reason: condition.Reason, Message: condition.Message}
	}
	for _, c := range o.Status.Clusters {
		status := cmp.Or(string(c.Status), StatusOK)
		if c.Status != "" && c.Message == "" {
			c.Message = noMessage(typeName)
		}
		r.Clusters = append(r.Clusters, ObjectCluster{
			Name: c.Name, Status: status, Message: c.Message, Version: c.Version, AlsoWrittenBy: c.AlsoWrittenBy, Autoscaling: c.Autoscaling.Says(), Health: objectHealth(c.Health),
		})
	}
	return r
}

func objectHealth(h *federate.Health) *ObjectHealth {
	if h == nil {
		return nil
	}
	return &ObjectHealth{Status: string(h.Status), Message: h.Message}
}

// word is what is wrong in the cluster; OK if nothing is: first whether the object is there
// as it is to be, then how it fares.
func (c *ObjectCluster) word() string {
	if c.Status == StatusOK && c.Health != nil && c.Health.Status != string(workload.Healthy) {
		return c.Health.Status
	}
	return c.Status
}

// noMessage stands for the reason where the status has none: KubeFed's controller has
// written it, or the definition, as kubefedctl makes it, drops messages.
func noMessage(typeName string) string {
	return "the status holds no reason: see the object's events; fedctl enable " + typeName + " gives the type a status that does"
}

// Key identifies the object among the rows.
func (r *ObjectRow) Key() string { return r.Type + "/" + r.Namespace + "/" + r.Name }

// ObjectNames are the names of the rows' objects, as kubectl takes them.
func ObjectNames(rows []ObjectRow) []string {
	names := make([]string, len(rows))
	for i := range rows {
		group, _, _ := strings.Cut(rows[i].APIVersion, "/")
		names[i] = strings.ToLower(rows[i].Kind) + "." + group + "/" + rows[i].Name
	}
	return names
}

// SortObjects puts rows into the order in which they are shown.
func SortObjects(rows []ObjectRow) {
	slices.SortFunc(rows, func(a, b ObjectRow) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
}
