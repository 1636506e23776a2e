package enablement

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// Directive says which type to enable and how: KubeFed's EnableTypeDirective,
// which is only ever read from files.
type Directive struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"` // the name is what LookupTarget takes

	Spec DirectiveSpec `json:"spec,omitempty"`
}

// DirectiveSpec holds what may be chosen; empty fields have defaults.
type DirectiveSpec struct {
	// TargetVersion is the version of the target; by default the one the host prefers.
	TargetVersion string `json:"targetVersion,omitempty"`
	// FederatedGroup is the group of the federated type; by default DefaultFederatedGroup.
	FederatedGroup string `json:"federatedGroup,omitempty"`
	// FederatedVersion is the version of the federated type; by default DefaultFederatedVersion.
	FederatedVersion string `json:"federatedVersion,omitempty"`
	// StatusCollection is that of the FederatedTypeConfig, which KubeFed's directive has
	// not. Nil leaves it as it is or was, or as an installation has it.
	StatusCollection *fedcorev1beta1.StatusCollectionMode `json:"statusCollection,omitempty"`
}

// TypeConfigFor returns the FederatedTypeConfig that enables target (as
// LookupTarget returns it) in the way that directive says. It has no namespace.
func TypeConfigFor(target metav1.APIResource, directive Directive) *fedcorev1beta1.FederatedTypeConfig {
	scope := func(namespaced bool) (out fedcorev1beta1.APIResource) {
		out.Scope = "Cluster"
		if namespaced {
			out.Scope = "Namespaced"
		}
		return out
	}
	name := typeconfig.QualifiedName(target.Name, target.Group)
	targetType := scope(target.Namespaced)
	targetType.Group, targetType.Version = target.Group, target.Version
	targetType.Kind, targetType.PluralName = target.Kind, target.Name
	// FederatedNamespaces live in the namespace they federate, so that who owns a
	// namespace can federate it.
	federated := scope(target.Namespaced || name == fedcommon.NamespaceName)
	federated.Group = orDefault(directive.Spec.FederatedGroup, typeconfig.DefaultFederatedGroup)
	federated.Version = orDefault(directive.Spec.FederatedVersion, typeconfig.DefaultFederatedVersion)
	federated.Kind, federated.PluralName = "Federated"+target.Kind, federatedPlural(target.Name)
	return &fedcorev1beta1.FederatedTypeConfig{
		TypeMeta:   metav1.TypeMeta{APIVersion: fedcorev1beta1.SchemeGroupVersion.String(), Kind: "FederatedTypeConfig"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: fedcorev1beta1.FederatedTypeConfigSpec{
			TargetType:    targetType,
			Propagation:   fedcorev1beta1.PropagationEnabled,
			FederatedType: federated,
		},
	}
}

// federatedPlural is the plural name of the federated type of a target.
func federatedPlural(target string) string { return "federated" + target }

func orDefault(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
