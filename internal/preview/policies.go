package preview

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/policy"
)

// Unmatched says what policies name that no cluster has: those among the objects, and those that
// change what is previewed. Each sentence begins with the policy and the field.
func (f *Facts) Unmatched(objects []*unstructured.Unstructured, previews []*Preview) []string {
	var said []string
	for _, p := range f.policies {
		changes := func(preview *Preview) bool { return p.Selects(f.selectable(preview)) }
		if !slices.ContainsFunc(objects, isPolicy(p)) && !slices.ContainsFunc(previews, changes) {
			continue
		}
		for _, text := range slices.Concat(p.UnmatchedKinds(f.targets()), f.fleet.Unmatched(p)) {
			said = append(said, p.Origin.String()+": "+text)
		}
	}
	return said
}

// targets are the kinds of objects in the members.
func (f *Facts) targets() []schema.GroupKind {
	kinds := make([]schema.GroupKind, len(f.Types))
	for i := range f.Types {
		kinds[i] = f.Types[i].Target.GVK.GroupKind()
	}
	return kinds
}

// Idle are the policies among the objects that select nothing of what is federated.
func (f *Facts) Idle(objects, federated []*unstructured.Unstructured) []string {
	var idle []string
	for _, p := range f.policies {
		selects := func(object *unstructured.Unstructured) bool {
			t, found := f.TypeOf(object)
			return found && p.Selects(policy.NewObject(f.kinds, t.Target.GVK.GroupKind(), object.GetNamespace(), object.GetName(), object.GetLabels()))
		}
		if slices.ContainsFunc(objects, isPolicy(p)) && !slices.ContainsFunc(federated, selects) {
			idle = append(idle, p.Origin.String())
		}
	}
	return idle
}

func isPolicy(p *policy.Policy) func(object *unstructured.Unstructured) bool {
	return func(object *unstructured.Unstructured) bool {
		return IsPolicy(object) && object.GetKind() == p.Origin.Kind && object.GetNamespace() == p.Origin.Namespace && object.GetName() == p.Origin.Name
	}
}

// selectable is what policies select an object by.
func (f *Facts) selectable(p *Preview) policy.Object {
	return policy.NewObject(f.kinds, p.Type.Target.GVK.GroupKind(), p.Namespace, p.Name, p.Source.GetLabels())
}
