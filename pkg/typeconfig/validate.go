package typeconfig

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// Validate applies KubeFed's rules to a FederatedTypeConfig whose defaults are
// filled in (WithDefaults). What it accepts, KubeFed accepts, and the reverse.
func Validate(config *fedcorev1beta1.FederatedTypeConfig) field.ErrorList {
	var errs field.ErrorList
	spec, path := &config.Spec, field.NewPath("spec")
	if want := QualifiedName(spec.TargetType.PluralName, spec.TargetType.Group); want != config.Name {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), config.Name,
			"must be the target's plural name and group, "+want))
	}
	errs = append(errs, validateResource(&spec.TargetType, path.Child("targetType"))...)
	errs = append(errs, oneOf(string(spec.Propagation), path.Child("propagation"),
		string(fedcorev1beta1.PropagationEnabled), string(fedcorev1beta1.PropagationDisabled))...)
	errs = append(errs, validateFederatedResource(&spec.FederatedType, path.Child("federatedType"))...)
	if spec.StatusType != nil {
		errs = append(errs, validateFederatedResource(spec.StatusType, path.Child("statusType"))...)
	}
	if spec.StatusCollection != nil {
		errs = append(errs, oneOf(string(*spec.StatusCollection), path.Child("statusCollection"),
			string(fedcorev1beta1.StatusCollectionEnabled), string(fedcorev1beta1.StatusCollectionDisabled))...)
	}
	return errs
}

func validateFederatedResource(resource *fedcorev1beta1.APIResource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case resource.Group == "":
		errs = append(errs, field.Required(path.Child("group"), "a federated type needs a group, such as "+DefaultFederatedGroup))
	case !strings.Contains(resource.Group, "."):
		errs = append(errs, field.Invalid(path.Child("group"), resource.Group, "must be a domain with at least one dot"))
	}
	return append(errs, validateResource(resource, path)...)
}

func validateResource(resource *fedcorev1beta1.APIResource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if resource.Group != "" {
		errs = append(errs, valid(resource.Group, path.Child("group"), validation.IsDNS1123Subdomain)...)
	}
	errs = append(errs, requiredValid(resource.Version, path.Child("version"))...)
	for _, err := range requiredValid(strings.ToLower(resource.Kind), path.Child("kind")) {
		err.BadValue = resource.Kind
		errs = append(errs, err)
	}
	errs = append(errs, requiredValid(resource.PluralName, path.Child("pluralName"))...)
	return append(errs, oneOf(string(resource.Scope), path.Child("scope"), "Cluster", "Namespaced")...)
}

func requiredValid(value string, path *field.Path) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return valid(value, path, validation.IsDNS1035Label)
}

func valid(value string, path *field.Path, check func(string) []string) field.ErrorList {
	if messages := check(value); len(messages) > 0 {
		return field.ErrorList{field.Invalid(path, value, strings.Join(messages, ", "))}
	}
	return nil
}

func oneOf(value string, path *field.Path, accepted ...string) field.ErrorList {
	if value == "" {
		return field.ErrorList{field.Required(path, "one of "+strings.Join(accepted, ", "))}
	}
	for _, a := range accepted {
		if a == value {
			return nil
		}
	}
	return field.ErrorList{field.NotSupported(path, value, accepted)}
}

// QualifiedName is how KubeFed names a resource: <plural>[.<group>].
func QualifiedName(plural, group string) string {
	if group == "" {
		return plural
	}
	return plural + "." + group
}
