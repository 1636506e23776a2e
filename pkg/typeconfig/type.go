package typeconfig

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/federate"
)

// The group and version of federated types that nobody chose otherwise, KubeFed's.
const (
	DefaultFederatedGroup   = "types.kubefed.io"
	DefaultFederatedVersion = "v1beta1"
)

// Finalizer is on every FederatedTypeConfig whose type has run, so that the
// controller can stop the propagation before the definition is gone. It is KubeFed's.
const Finalizer = "core.kubefed.io/federated-type-config"

// Resource is an API resource of a cluster.
type Resource struct {
	// GVR names the resource as it is in request paths.
	GVR schema.GroupVersionResource
	// GVK names the kind of its objects; group and version are those of GVR.
	GVK schema.GroupVersionKind
	// Namespaced says that objects of the resource live in namespaces.
	Namespaced bool
}

// Type is one federated type: what a FederatedTypeConfig says. It is comparable:
// two equal Types are the same definition.
type Type struct {
	// Name is the name of the FederatedTypeConfig, <plural>[.<group>] of the target.
	Name string
	// Target is the resource in the member clusters.
	Target Resource
	// Federated is the resource in the host cluster.
	Federated Resource
	// StatusCollection says that the status of the members' objects is wanted.
	StatusCollection bool
	// StatusObjects is the resource in the host whose objects repeat what has been
	// collected, KubeFed's FederatedXStatus; zero where there is none.
	StatusObjects Resource
	// FederatedNamespace is the resource of the FederatedNamespaces whose placement
	// bounds that of the type's objects; zero for types whose target is not
	// namespaced. It is to be read whether or not namespaces are propagated themselves.
	FederatedNamespace Resource
	// Ownership is what federate.OwnershipAnnotation says of the type; empty where it says nothing.
	Ownership string
	// HealthCollection is what federate.HealthCollectionAnnotation says of the type; empty
	// where it says nothing.
	HealthCollection string
	// IsNamespace marks the type whose target is Namespace: its federated objects
	// are namespaced and live in the namespace they federate.
	IsNamespace bool
}

// TargetKey is the key of the object in a member that a federated object of this key stands
// for.
func (t *Type) TargetKey(federated types.NamespacedName) types.NamespacedName {
	if t.IsNamespace || !t.Target.Namespaced {
		return types.NamespacedName{Name: federated.Name}
	}
	return federated
}

// Registrar starts and stops the propagation of types. Implementations may be
// called from several goroutines, never concurrently for the same name.
type Registrar interface {
	// Register starts the propagation of t. Registering an equal Type again does
	// nothing; a Type with the same name and another definition replaces it.
	Register(ctx context.Context, t Type) error
	// Unregister stops the propagation of the type with this name, which need not
	// be registered. When it has returned, nothing is written for the type any
	// more, no finalizer either.
	Unregister(ctx context.Context, name string) error
}

// Rights tells in which members the controller lacks the rights to a type's objects.
type Rights interface {
	// Lacking names the members that do not let the objects of a type be read, sorted.
	Lacking(name string) []string
	// OnChange has tell called with the name of a type of which Lacking may say something
	// else. It is called from any goroutine, and must not block.
	OnChange(tell func(name string))
}

// FromFederatedTypeConfig reads config with KubeFed's defaults for what it leaves
// out; FederatedNamespace, which it does not tell, stays zero. config is not
// modified. The error names the object and its fields.
func FromFederatedTypeConfig(config *fedcorev1beta1.FederatedTypeConfig) (Type, error) {
	config = WithDefaults(config)
	if errs := Validate(config); len(errs) > 0 {
		return Type{}, fmt.Errorf("FederatedTypeConfig %s/%s: %w", config.Namespace, config.Name, errs.ToAggregate())
	}
	t := Type{
		Name:             config.Name,
		Target:           ResourceOf(config.Spec.TargetType),
		Federated:        FederatedResource(config),
		StatusCollection: config.GetStatusEnabled(),
		IsNamespace:      config.Name == fedcommon.NamespaceName,
		Ownership:        config.Annotations[federate.OwnershipAnnotation],
		HealthCollection: config.Annotations[federate.HealthCollectionAnnotation],
	}
	if config.Spec.StatusType != nil && t.StatusCollection {
		t.StatusObjects = ResourceOf(*config.Spec.StatusType)
		t.StatusObjects.Namespaced = t.Federated.Namespaced // they share their names
	}
	return t, nil
}

// HasStatusObjects tells whether collected status is repeated in objects of its own.
func (t Type) HasStatusObjects() bool { return t.StatusObjects != Resource{} }

// CollectsStatus tells whether the status of the members' objects is read at all.
func (t Type) CollectsStatus() bool { return t.StatusCollection || t.HasStatusObjects() }

// RenderTarget is what rendering needs to know of the target.
func (t Type) RenderTarget() federate.Target {
	return federate.Target{GVK: t.Target.GVK, Namespaced: t.Target.Namespaced, IsNamespace: t.IsNamespace}
}

// CRDName is the name of the CustomResourceDefinition of the federated type.
func (t Type) CRDName() string { return t.Federated.CRDName() }

// CRDName is the name of the CustomResourceDefinition of the resource.
func (r Resource) CRDName() string { return QualifiedName(r.GVR.Resource, r.GVR.Group) }

// WithDefaults returns a copy of config with KubeFed's defaults filled in: plural
// names and groups that are left out follow from the names of config and kinds.
func WithDefaults(config *fedcorev1beta1.FederatedTypeConfig) *fedcorev1beta1.FederatedTypeConfig {
	config = config.DeepCopy()
	fedcorev1beta1.SetFederatedTypeConfigDefaults(config)
	return config
}

// FederatedResource is the federated type of a config. KubeFed takes its scope from
// the target, whatever the config says of the federated type.
func FederatedResource(config *fedcorev1beta1.FederatedTypeConfig) Resource {
	config = WithDefaults(config)
	federated := ResourceOf(config.Spec.FederatedType)
	federated.Namespaced = config.GetFederatedNamespaced()
	return federated
}

// ResourceOf is a resource as a FederatedTypeConfig names it.
func ResourceOf(in fedcorev1beta1.APIResource) Resource {
	gv := schema.GroupVersion{Group: in.Group, Version: in.Version}
	return Resource{
		GVR:        gv.WithResource(in.PluralName),
		GVK:        gv.WithKind(in.Kind),
		Namespaced: in.Namespaced(),
	}
}

// Registrars are several that hear of the same types: started in their order,
// stopped in the opposite one.
type Registrars []Registrar

// Register implements Registrar.
func (r Registrars) Register(ctx context.Context, t Type) error {
	for _, registrar := range r {
		if err := registrar.Register(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// Unregister implements Registrar. All are told, also when one fails.
func (r Registrars) Unregister(ctx context.Context, name string) error {
	var errs []error
	for _, registrar := range slices.Backward(r) {
		errs = append(errs, registrar.Unregister(ctx, name))
	}
	return errors.Join(errs...)
}
