package view

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
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
		r.Clusters = append(r.Clusters, ObjectCluster{Name: c.Name, Status: status, Message: c.Message, Version: c.Version, AlsoWrittenBy: c.AlsoWrittenBy})
	}
	return r
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
