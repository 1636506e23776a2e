package propagation

import (
	"cmp"
	"fmt"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// placer gathers what a placement depends on, and asks pkg/placement.
type placer struct {
	inventory  fleet.Inventory
	namespaces *namespaceStore
	policies   *policyStore
	kinds      *kindStore
	// kubeFedNamespace is never federated.
	kubeFedNamespace string
	// limited says that the control plane is for one namespace.
	limited bool
}

// placed is where an object belongs, and what is to be said of it as a whole.
type placed struct {
	placement.Decision

	// reason is ComputePlacementFailed if there is no decision.
	reason  federate.AggregateReason
	message string
}

func unplaced(message string) placed {
	return placed{reason: federate.ComputePlacementFailed, message: message}
}

// informed says whether all that a decision rests on has been read. A decision
// on less could delete what a moment later turns out to be wanted.
func (p *placer) informed(t *runningType) bool {
	if !t.federated.Synced() || !p.inventory.Synced() || !p.policies.informed() || !p.kinds.informed() {
		return false
	}
	if !t.Target.Namespaced {
		return true
	}
	_, known := p.namespaces.get(t.FederatedNamespace, "")
	return known
}

// isSystemNamespace says whether a namespace is never federated.
func (p *placer) isSystemNamespace(name string) bool {
	return federate.IsSystemNamespace(name, p.kubeFedNamespace)
}

// intent is what a federated object is to be in each cluster, within the bounds of its namespace.
func (p *placer) intent(t *runningType, fed *federated) federate.Intent {
	if fed == nil {
		return federate.Intent{}
	}
	intent := p.policies.changed(t, fed)
	if !t.Target.Namespaced {
		return intent
	}
	namespace, known := p.namespaces.get(t.FederatedNamespace, fed.Namespace)
	if !known || namespace == nil {
		return intent
	}
	return intent.Within(&namespace.intent)
}

// place asks pkg/placement where an object belongs.
func (p *placer) place(t *runningType, fed *federated, intent federate.Intent) placed {
	if fed.placementUnknown() {
		return unplaced(fed.fault.Error())
	}
	changed := func() bool { return p.policies.selected(t, fed) }
	if problem := cmp.Or(p.policies.problem(), p.kinds.problem(t.Target.GVK.GroupKind(), changed), p.unbounded(t, fed)); problem != "" {
		return unplaced(problem)
	}
	in := fleet.PlacementInput(p.inventory, intent.Bounds.Placement)
	in.Namespaced, in.LimitedScope, in.Namespace = t.Target.Namespaced, p.limited, intent.Bounds.Namespace
	decision, err := placement.Decide(in)
	switch {
	case err != nil:
		return unplaced(err.Error())
	case decision.NamespaceNotFederated:
		return placed{decision, federate.NamespaceNotFederated,
			federate.NamespaceNotFederatedMessage(fed.Namespace)}
	}
	return placed{Decision: decision, reason: federate.AggregateSuccess}
}

// unbounded says why it is not known what the namespace of an object allows; empty if it is.
func (p *placer) unbounded(t *runningType, fed *federated) string {
	if !t.Target.Namespaced {
		return ""
	}
	if t.FederatedNamespace == (typeconfig.Resource{}) && !p.limited {
		return federate.NamespacesNotEnabled
	}
	namespace, known := p.namespaces.get(t.FederatedNamespace, fed.Namespace)
	switch {
	case !known:
		return "the FederatedNamespaces are being read"
	case namespace != nil && namespace.placementUnknown():
		return fmt.Sprintf("FederatedNamespace %s/%s: %v", fed.Namespace, fed.Namespace, namespace.fault)
	}
	return ""
}
