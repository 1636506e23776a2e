// Package federate is the model of a federated object: how it is read, what each
// member cluster gets of it, and what its status says.
//
//   - Parse reads a FederatedX object into an Object.
//   - An Intent is what it is to be in each cluster: template, bounds and layers of
//     changes, with a revision of all of it.
//   - A Renderer turns an Intent into the object for one cluster.
//   - Fold turns the outcomes in the clusters into the next status.
//   - Strip turns an object in a cluster into a template.
//
// All of it are functions of plain values, used alike by the controller and by
// the commands that explain or preview what the controller will do. No function
// panics on any input: objects come from users.
//
// The package may import pkg/placement, pkg/workload, pkg/errtext and apimachinery's types; no client, no
// controller-runtime, no clock, no goroutine.
package federate

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Names that are part of the contract with KubeFed's manifests and clients.
const (
	// ManagedLabel marks every object in a member cluster that is the federation's.
	ManagedLabel = "kubefed.io/managed"
	// ManagedLabelValue is the label's value on such objects.
	ManagedLabelValue = "true"
	// KeptOutMessage says that the owner of a member keeps an object out of the federation.
	KeptOutMessage = "the object has the label " + ManagedLabel + " with another value than \"" + ManagedLabelValue +
		"\": its owner keeps it out of the federation"
	// StrippedMessage says that admission in a member takes the managed label off an object.
	StrippedMessage = "the cluster's admission takes the label " + ManagedLabel + " off the object: it was written as it is wanted, " +
		"but what becomes of it there is not seen, and when it is to go, it is deleted by its UID"
	// UnknownUID stands for that of such an object where it could not be recorded: it is ours
	// if we have applied it.
	UnknownUID types.UID = "unknown"
	// OrphanAnnotation set to "true" on a federated object leaves its objects in
	// the member clusters when it is deleted.
	OrphanAnnotation = "kubefed.io/orphan"
	// DeleteOptionAnnotation holds metav1.DeleteOptions as JSON, used for
	// deletions in the member clusters.
	DeleteOptionAnnotation = "kubefed.io/deleteoption"
	// Finalizer keeps a federated object until its objects in the members are gone.
	Finalizer = "kubefed.io/sync-controller"
	// CreatedAnnotation of a member's Namespace says that the federation has created it, and
	// so may delete it. No template sets it.
	CreatedAnnotation = "fedctl.io/created"
	// FieldManager owns the fields we apply in the member clusters.
	FieldManager = "fedctl"
)

// Target is what a FederatedTypeConfig says of the type that lands in the members.
type Target struct {
	GVK        schema.GroupVersionKind
	Namespaced bool
	// IsNamespace is set for the type Namespace, whose federated object is
	// namespaced while the type itself is not.
	IsNamespace bool
}
