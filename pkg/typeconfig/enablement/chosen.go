package enablement

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/serverapply"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

const (
	// disabledPrefix begins the annotation of a federated type's definition in which a
	// disabled type's FederatedTypeConfig is kept. The namespace of the control plane
	// follows, since several may share a federated type.
	disabledPrefix = "disabled.fedctl.io/"
	// ourAnnotations begin the annotations that the controller acts on. Others are whose
	// they are: a tool's record about an object is not true of the next one.
	ourAnnotations = "fedctl.io/"
	// choices owns what somebody has chosen. It applies nothing, so that enabling a type
	// again takes nothing of it away.
	choices = "fedctl-choices"
)

// chosen reduces a FederatedTypeConfig to what does not follow from its target.
func chosen(config *fedcorev1beta1.FederatedTypeConfig) *fedcorev1beta1.FederatedTypeConfig {
	out := &fedcorev1beta1.FederatedTypeConfig{}
	for name, value := range config.Annotations {
		if strings.HasPrefix(name, ourAnnotations) {
			metav1.SetMetaDataAnnotation(&out.ObjectMeta, name, value)
		}
	}
	out.Spec.StatusCollection, out.Spec.StatusType = config.Spec.StatusCollection, config.Spec.StatusType
	return out
}

// giveBack gives config what was chosen.
func giveBack(config, chosen *fedcorev1beta1.FederatedTypeConfig) {
	for name, value := range chosen.Annotations {
		metav1.SetMetaDataAnnotation(&config.ObjectMeta, name, value)
	}
	config.Spec.StatusCollection = cmp.Or(chosen.Spec.StatusCollection, config.Spec.StatusCollection)
	config.Spec.StatusType = cmp.Or(chosen.Spec.StatusType, config.Spec.StatusType)
}

// describeChosen names what was chosen; empty when nothing was.
func describeChosen(config *fedcorev1beta1.FederatedTypeConfig) string {
	var out []string
	config = chosen(config)
	if mode := config.Spec.StatusCollection; mode != nil {
		out = append(out, "statusCollection: "+string(*mode))
	}
	if status := config.Spec.StatusType; status != nil {
		out = append(out, "statusType: "+status.Kind)
	}
	for _, name := range slices.Sorted(maps.Keys(config.Annotations)) {
		out = append(out, name+": "+config.Annotations[name])
	}
	return errtext.Bounded(strings.Join(out, ", "), 400)
}

// chosenPatch is a merge patch of what was chosen.
func chosenPatch(config *fedcorev1beta1.FederatedTypeConfig) map[string]any {
	patch, config := map[string]any{}, chosen(config)
	if len(config.Annotations) > 0 {
		patch["metadata"] = map[string]any{"annotations": config.Annotations}
	}
	spec := map[string]any{}
	if config.Spec.StatusCollection != nil {
		spec["statusCollection"] = config.Spec.StatusCollection
	}
	if config.Spec.StatusType != nil {
		spec["statusType"] = config.Spec.StatusType
	}
	if len(spec) > 0 {
		patch["spec"] = spec
	}
	return patch
}

// enableCommands are what enables a disabled type with all that was chosen for it; kept
// says that enable finds that by itself.
func enableCommands(config *fedcorev1beta1.FederatedTypeConfig, kept bool) []string {
	enable := "fedctl enable " + config.Name
	if group := config.Spec.FederatedType.Group; group != typeconfig.DefaultFederatedGroup {
		enable += " --federated-group " + errtext.Argument(group)
	}
	if kept {
		return []string{enable}
	}
	rest := chosen(config)
	if mode := rest.Spec.StatusCollection; mode != nil {
		enable += " --collect-status"
		if *mode != fedcorev1beta1.StatusCollectionEnabled {
			enable += "=false"
		}
		rest.Spec.StatusCollection = nil
	}
	commands := []string{enable}
	if patch := chosenPatch(rest); len(patch) > 0 {
		data, _ := json.Marshal(patch) // plain values
		commands = append(commands, fmt.Sprintf("kubectl -n %s patch ftc %s --type merge -p '%s'", config.Namespace, config.Name, strings.ReplaceAll(string(data), "'", `'\''`)))
	}
	return commands
}

// keepDisabled writes what is known of a type to the definition of its federated type,
// before its FederatedTypeConfig is deleted, so that enabling it again finds it.
func (h *Host) keepDisabled(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, dryRun bool) error {
	federated, target := config.Spec.FederatedType, config.Spec.TargetType
	definition := definitionOf(config)
	if federated.PluralName != federatedPlural(target.PluralName) {
		return fmt.Errorf("the name of %s does not follow from that of the type", definition)
	}
	kept := chosen(config)
	kept.Spec.TargetType, kept.Spec.FederatedType = target, federated
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": kept.Annotations}, "spec": kept.Spec})
	if err != nil {
		return err
	}
	return h.annotateDefinition(ctx, definition, string(data), dryRun)
}

// annotateDefinition sets the annotation in which a disabled type is kept, or with nil
// takes it away.
func (h *Host) annotateDefinition(ctx context.Context, name string, value any, dryRun bool) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{disabledPrefix + h.Namespace: value}}})
	if err != nil {
		return err
	}
	options := []client.PatchOption{client.FieldOwner(choices)}
	if dryRun {
		options = append(options, client.DryRunAll)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name}}
	return h.Client.Patch(ctx, crd, client.RawPatch(types.MergePatchType, patch), options...)
}

// Disabled reads what is kept of a type that is disabled in a control plane's namespace, at the
// definition of its federated type. False: nothing says that it was, or there is none.
func Disabled(ctx context.Context, host client.Reader, definition, namespace string) (data string, disabled bool, err error) {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	if err := host.Get(ctx, client.ObjectKey{Name: definition}, crd); client.IgnoreNotFound(err) != nil {
		return "", false, fmt.Errorf("reading CustomResourceDefinition %s: %w", definition, err)
	}
	data, disabled = crd.Annotations[disabledPrefix+namespace]
	return data, disabled, nil
}

// disabled returns what was kept of the type that directive enables when it was disabled;
// nil when nothing was.
func (h *Host) disabled(ctx context.Context, target metav1.APIResource, directive Directive) (kept *fedcorev1beta1.FederatedTypeConfig, err error) {
	wanted := TypeConfigFor(target, directive)
	name := definitionOf(wanted)
	data, ok, err := Disabled(ctx, h.Client, name, h.Namespace)
	if err != nil || !ok {
		return nil, err
	}
	if err := json.Unmarshal([]byte(data), &kept); err != nil {
		return nil, fmt.Errorf("CustomResourceDefinition %s: its annotation %s, which says what was chosen for the type before it was disabled, cannot be read: %w; mend or remove it", name, disabledPrefix+h.Namespace, err)
	}
	return believed(kept, wanted), nil
}

// believed is what an annotation, which anything may have written, can say of the type that
// is wanted: what somebody may have chosen, and versions; not another federated type, to which
// the controller would be given rights.
func believed(kept, wanted *fedcorev1beta1.FederatedTypeConfig) *fedcorev1beta1.FederatedTypeConfig {
	if kept == nil {
		return nil
	}
	out := chosen(kept)
	out.Spec.TargetType.Version = kept.Spec.TargetType.Version
	out.Spec.FederatedType.Group, out.Spec.FederatedType.Version = wanted.Spec.FederatedType.Group, kept.Spec.FederatedType.Version
	return out
}

// forgetDisabled takes away what was kept of a type, which is enabled by now.
func (h *Host) forgetDisabled(ctx context.Context, definition string) error {
	if _, ok, err := Disabled(ctx, h.Client, definition, h.Namespace); err != nil || !ok {
		return err
	}
	return h.annotateDefinition(ctx, definition, nil, false)
}

// chooseFor gives the FederatedTypeConfig that enables a type what directive says, and, if
// the type is not enabled yet, what was kept of it, or what an installation gives it.
func (h *Host) chooseFor(config *fedcorev1beta1.FederatedTypeConfig, directive Directive, before earlier) {
	if !before.enabled {
		target := config.Spec.TargetType
		if _, ok := h.Rollups[schema.GroupKind{Group: target.Group, Kind: target.Kind}]; ok {
			CollectStatus(config)
		}
	}
	if before.disabled != nil {
		kept := *before.disabled
		if directive.Spec.StatusCollection != nil {
			kept.Spec.StatusCollection = nil // what is said now is not called kept
		}
		giveBack(config, &kept)
		if what := describeChosen(&kept); what != "" {
			h.note("kept what was chosen for the type before it was disabled: %s", what)
		}
	}
	config.Spec.StatusCollection = cmp.Or(directive.Spec.StatusCollection, config.Spec.StatusCollection)
}

// CollectStatus has the status of a type's objects collected, as an installation does for
// types of which the members' status is added up.
func CollectStatus(config *fedcorev1beta1.FederatedTypeConfig) {
	enabled := fedcorev1beta1.StatusCollectionEnabled
	config.Spec.StatusCollection = &enabled
}

// sayChosen says what becomes of what was chosen for a type that is disabled. notKept is
// why it is not kept; nil where it is.
func (h *Host) sayChosen(config *fedcorev1beta1.FederatedTypeConfig, notKept error) {
	what := describeChosen(config)
	if what == "" && notKept == nil {
		return
	}
	h.say("")
	if notKept != nil {
		h.say("warning: nothing tells fedctl install that the type was disabled: it enables it again if it is one of the default types.")
	}
	if what == "" {
		return
	}
	if notKept == nil {
		h.say("What was chosen for it (%s) is kept at CustomResourceDefinition %s, and comes back with:", what, definitionOf(config))
	} else {
		h.say("warning: what was chosen for it (%s) goes with it: %s. To enable it with that:", what, errtext.Stable(notKept))
	}
	for _, command := range enableCommands(config, notKept == nil) {
		h.say("  %s", command)
	}
}

// applyChoices writes what was chosen, by a manager of its own: an apply that does not name
// it any more would take it away. A FederatedTypeConfig that is not there is created whole,
// so that its type never runs without. Without choices it does nothing.
func (h *Host) applyChoices(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, dryRun bool) (serverapply.Result, error) {
	patch := chosenPatch(config)
	if len(patch) == 0 {
		return serverapply.Unchanged, nil
	}
	owner := client.FieldOwner(choices)
	if !dryRun {
		err := h.Client.Create(ctx, config.DeepCopy(), owner)
		if err == nil {
			return serverapply.Created, nil
		} else if !apierrors.IsAlreadyExists(err) {
			return "", fmt.Errorf("creating FederatedTypeConfig %s/%s: %w", config.Namespace, config.Name, err)
		}
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return "", err
	}
	before, after := &fedcorev1beta1.FederatedTypeConfig{}, config.DeepCopy()
	if err := h.Client.Get(ctx, client.ObjectKeyFromObject(config), before); apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return serverapply.Unchanged, nil // of a dry run, in which the rest says that it is created
	} else if err != nil {
		return "", fmt.Errorf("reading FederatedTypeConfig %s/%s: %w", config.Namespace, config.Name, err)
	}
	options := []client.PatchOption{owner}
	if dryRun {
		options = append(options, client.DryRunAll)
	}
	if err := h.Client.Patch(ctx, after, client.RawPatch(types.MergePatchType, data), options...); err != nil {
		return "", fmt.Errorf("changing FederatedTypeConfig %s/%s: %w", config.Namespace, config.Name, err)
	}
	if equality.Semantic.DeepEqual(chosen(before), chosen(after)) {
		return serverapply.Unchanged, nil
	}
	return serverapply.Configured, nil
}

// withoutChoices is a FederatedTypeConfig as it is applied.
func withoutChoices(object *unstructured.Unstructured) *unstructured.Unstructured {
	object = object.DeepCopy()
	unstructured.RemoveNestedField(object.Object, "spec", "statusCollection")
	unstructured.RemoveNestedField(object.Object, "spec", "statusType")
	unstructured.RemoveNestedField(object.Object, "metadata", "annotations")
	return object
}

// definitionOf is the name of the definition of a federated type.
func definitionOf(config *fedcorev1beta1.FederatedTypeConfig) string {
	return typeconfig.QualifiedName(config.Spec.FederatedType.PluralName, config.Spec.FederatedType.Group)
}
