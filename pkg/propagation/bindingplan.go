package propagation

import (
	"maps"
	"slices"
)

// bindingInput is what is known of the namespaces of a member that gives the right to
// write by namespace. Namespaces are keys; one that is in no map is not.
type bindingInput struct {
	// placed are those that the federation places there, and unknown those of which
	// nobody can tell, because the placement cannot be read.
	placed, unknown map[string]bool
	// bound are those with a RoleBinding of ours: true, if it binds what it is to bind.
	bound map[string]bool
	// used are those with objects that bear our label; owed those of them with one that
	// still has a federated object, which we may have to remove. usedKnown says whether
	// all of them are known.
	used, owed map[string]bool
	usedKnown  bool
	// there says whether a namespace can hold a RoleBinding by now, and mayBind whether it ever may.
	there, mayBind func(namespace string) bool
}

// bindingPlan is what is to be done.
type bindingPlan struct {
	bind, unbind []string
	// leaving says that namespaces are bound only as long as there is something to remove.
	leaving bool
}

// planBindings says in which namespaces the right to write is to be bound, and in which no
// longer. A namespace that is not placed any more stays bound until what we have in it is gone.
func planBindings(in bindingInput) (plan bindingPlan) {
	for _, namespace := range slices.Sorted(maps.Keys(in.bound)) {
		right := in.bound[namespace]
		switch {
		case !in.mayBind(namespace), !right:
			plan.unbind = append(plan.unbind, namespace)
		case in.placed[namespace], in.unknown[namespace]:
		case in.used[namespace], !in.usedKnown:
			plan.leaving = true
		default:
			plan.unbind = append(plan.unbind, namespace)
		}
	}
	wanted := maps.Clone(in.placed)
	if wanted == nil {
		wanted = map[string]bool{}
	}
	maps.Copy(wanted, in.owed)
	for _, namespace := range slices.Sorted(maps.Keys(wanted)) {
		if !in.bound[namespace] && in.mayBind(namespace) && in.there(namespace) {
			plan.bind = append(plan.bind, namespace)
		}
	}
	return plan
}
