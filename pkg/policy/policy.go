package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

// Kinds of policies.
const (
	KindOverridePolicy        = "OverridePolicy"
	KindClusterOverridePolicy = "ClusterOverridePolicy"
)

var (
	namespaceKind = schema.GroupKind{Kind: "Namespace"}
	secretKind    = schema.GroupKind{Kind: "Secret"}
)

// Policy is a policy that can be carried out. It is not modified after Compile.
type Policy struct {
	// Origin is the policy itself; its Namespace is empty if it is for all namespaces.
	Origin federate.Origin

	selectors []selector
	rules     []rule
	// slots are the fields that its rules set; patches says that some may set any.
	slots   map[string]bool
	patches bool
	// revision stands for the whole of its spec.
	revision string
	// problem is why it cannot be carried out; nil if it can.
	problem error
}

// Object is what policies select a federated object by.
type Object struct {
	// Target is the kind of the objects in the members.
	Target          schema.GroupKind
	Namespace, Name string
	Labels          map[string]string
	// Templates are where the objects in the members have their pod templates, and Look stands
	// for what somebody says of that.
	Templates []workload.Template
	Look      string
}

// NewObject is a federated object of a kind that looks as the table says.
func NewObject(kinds *workload.Kinds, target schema.GroupKind, namespace, name string, labels map[string]string) Object {
	return Object{
		Target: target, Namespace: namespace, Name: name, Labels: labels,
		Templates: kinds.PodTemplates(target), Look: kinds.Revision(target),
	}
}

type selector struct {
	v1alpha1.ObjectSelector

	labels labels.Selector // nil selects all
}

// Read takes a policy of either kind from an object.
func Read(object *unstructured.Unstructured) (*Policy, v1alpha1.OverridePolicyStatus) {
	origin := federate.Origin{Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}
	read := v1alpha1.ClusterOverridePolicy{} // its spec and status are those of both kinds
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read); err != nil {
		return &Policy{Origin: origin, revision: "unreadable", problem: fault("spec", "cannot be read")}, read.Status
	}
	return Compile(origin, &read.Spec), read.Status
}

// CheckFields says which fields of a policy there are none of: those that the API server refuses,
// and Read does not see.
func CheckFields(object *unstructured.Unstructured) error {
	read := v1alpha1.ClusterOverridePolicy{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, &read, true); err != nil {
		return fmt.Errorf("%s: %w", federate.Origin{Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName()}, err)
	}
	return nil
}

// Compile checks a policy and makes it ready. One with a Problem makes nothing of the
// objects that it selects: what was made of them earlier stays in the members, since
// nobody has asked for that to be undone. Where a label selector is the problem, it
// selects whatever the rest of the selector does.
func Compile(origin federate.Origin, spec *v1alpha1.OverridePolicySpec) *Policy {
	p := &Policy{Origin: origin}
	for i := range spec.Selectors {
		field := "spec.selectors[" + strconv.Itoa(i) + "]"
		s := selector{ObjectSelector: spec.Selectors[i]}
		if len(s.Namespaces) > 0 && origin.Namespace != "" {
			p.fail(fault(field+".namespaces", "an OverridePolicy is for its own namespace; use a ClusterOverridePolicy"))
		}
		var err error
		s.labels, err = labelsOf(s.LabelSelector, field)
		p.fail(err)
		p.selectors = append(p.selectors, s)
	}
	if len(spec.Rules) == 0 {
		p.fail(fault("spec.rules", "needs a rule at least"))
	}
	for i := range spec.Rules {
		r, err := compileRule(&spec.Rules[i], "spec.rules["+strconv.Itoa(i)+"]")
		p.fail(err)
		p.rules = append(p.rules, r)
	}
	data, err := json.Marshal(spec)
	if err != nil {
		p.fail(fault("spec", "cannot be written as JSON"))
	}
	sum := sha256.Sum256(data)
	p.revision = hex.EncodeToString(sum[:8])
	p.slots = map[string]bool{}
	for i := range p.rules {
		slotsOf(&p.rules[i], p.slots)
		p.patches = p.patches || len(p.rules[i].patches) > 0
		p.rules[i].revision = p.revision + "/" + strconv.Itoa(i)
	}
	return p
}

// fail keeps the first problem.
func (p *Policy) fail(problem error) {
	if p.problem == nil {
		p.problem = problem
	}
}

// Problem is why a policy cannot be carried out: a *federate.ModifyError that names the
// field, or nil.
func (p *Policy) Problem() error { return p.problem }

func labelsOf(s *metav1.LabelSelector, field string) (labels.Selector, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // nil selects all
	}
	compiled, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return nil, fault(field+".labelSelector", err.Error())
	}
	return compiled, nil
}

func fault(field, message string) error {
	return &federate.ModifyError{Field: field, Message: message}
}

// Revision stands for all that the policy says.
func (p *Policy) Revision() string { return p.revision }

// Selects says whether the policy changes a federated object. Without selectors it changes
// those that have pod templates. A policy of a namespace never changes the Namespace itself:
// its labels say what is allowed in it, which is not for those who may write policies there.
func (p *Policy) Selects(o Object) bool {
	if p.Origin.Namespace != "" && (p.Origin.Namespace != o.Namespace || o.Target == namespaceKind) {
		return false
	}
	if len(p.selectors) == 0 {
		return len(o.Templates) > 0
	}
	return slices.ContainsFunc(p.selectors, func(s selector) bool { return s.selects(o) })
}

func (s *selector) selects(o Object) bool {
	return (s.Kind == "" || s.Kind == o.Target.Kind) &&
		(s.Group == "" || s.Group == o.Target.Group) &&
		(len(s.Names) == 0 || slices.Contains(s.Names, o.Name)) &&
		(len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, o.Namespace)) &&
		(s.labels == nil || s.labels.Matches(labels.Set(o.Labels)))
}

// Sort puts policies in the order in which they are carried out: those for all namespaces
// first, then by name.
func Sort(policies []*Policy) {
	slices.SortFunc(policies, func(a, b *Policy) int {
		return cmp.Or(cmp.Compare(a.Origin.Namespace, b.Origin.Namespace), cmp.Compare(a.Origin.Name, b.Origin.Name))
	})
}
