package status

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Values of row.Propagated beside those of the condition.
const (
	pending  = "Pending"
	deleting = "Deleting"
	deleted  = "Deleted"
)

// row is a federated object and its state; its JSON is the output of -o json.
type row struct {
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
	Problem            *problem     `json:"problem,omitempty"`
	Generation         int64        `json:"generation,omitempty"`
	ObservedGeneration int64        `json:"observedGeneration,omitempty"`
	CreationTimestamp  metav1.Time  `json:"creationTimestamp"`
	Clusters           []clusterRow `json:"clusters"`
}

type problem struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
}

// clusterRow is the state in a cluster where the object is placed.
type clusterRow struct {
	Name string `json:"name"`
	// Status is OK or one of the words of federate.PropagationStatus.
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
	Version string `json:"version,omitempty"`
}

const statusOK = "OK"

// newRow reads what the controller says of the object, and no more: what it has
// not yet seen is Pending.
func newRow(t typeconfig.Type, u *unstructured.Unstructured) row {
	o, parseErr := federate.Parse(u)
	r := row{
		Type:               t.Name,
		APIVersion:         t.Federated.GVK.GroupVersion().String(),
		Kind:               t.Federated.GVK.Kind,
		Namespace:          o.Namespace,
		Name:               o.Name,
		Propagated:         pending,
		Generation:         o.Generation,
		ObservedGeneration: o.Status.ObservedGeneration,
		CreationTimestamp:  u.GetCreationTimestamp(),
		Clusters:           []clusterRow{},
	}
	if condition := o.Status.Condition(federate.ConditionPropagation); condition != nil {
		r.Reason, r.Message = condition.Reason, condition.Message
		if o.Status.ObservedGeneration == o.Generation {
			r.Propagated = condition.Status
		}
	}
	if parseErr != nil && r.Message == "" {
		r.Message = parseErr.Error()
	}
	if o.Deleting {
		r.Propagated = deleting
	}
	if condition := o.Status.Condition(federate.ConditionAccepted); condition != nil && condition.Status == federate.ConditionFalse {
		r.Problem = &problem{Reason: condition.Reason, Message: condition.Message}
	}
	for _, c := range o.Status.Clusters {
		status := cmp.Or(string(c.Status), statusOK)
		r.Clusters = append(r.Clusters, clusterRow{Name: c.Name, Status: status, Message: c.Message, Version: c.Version})
	}
	return r
}

// key identifies the object among the rows.
func (r *row) key() string { return r.Type + "/" + r.Namespace + "/" + r.Name }

// reference is the object as kubectl takes it.
func (r *row) reference() string { return strings.ToLower(r.Kind) + "/" + r.Name }

func sortRows(rows []row) { slices.SortFunc(rows, compareRows) }

func compareRows(a, b row) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
}
