package enablement

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/serverapply"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
)

// Host is the host cluster as enabling and disabling types need it.
type Host struct {
	// Client knows FederatedTypeConfigs and CustomResourceDefinitions.
	Client client.Client
	// Discovery tells the types of the host cluster and their schemas.
	Discovery discovery.DiscoveryInterface
	// Namespace is the namespace of the control plane.
	Namespace string
	// Rollups are what the status of some types adds up of the members, by target.
	Rollups map[schema.GroupKind]definition.Rollup
	// Out gets a line for everything that was done.
	Out io.Writer
	// Notes gets a line for what stays as an earlier command was told.
	Notes io.Writer
	// Deleted is told the name of each object that was deleted, or in a dry run would
	// be, as kubectl writes it, instead of Out. Nil means that Out gets a line.
	Deleted func(name string)
}

// Enablement is what enabling a type puts into the host cluster.
type Enablement struct {
	TypeConfig *fedcorev1beta1.FederatedTypeConfig
	CRD        *apiextensionsv1.CustomResourceDefinition
}

// Prepare works out what enabling the type that directive names would put into
// the host. It only reads.
func (h *Host) Prepare(ctx context.Context, directive Directive) (*Enablement, error) {
	target, err := LookupTarget(h.Discovery, directive.Name, directive.Spec.TargetVersion)
	if err != nil {
		return nil, err
	}
	asked := directive.Spec.TargetVersion
	directive, before, err := h.keep(ctx, target, directive)
	if err != nil {
		return nil, err
	}
	if directive.Spec.TargetVersion != asked && directive.Spec.TargetVersion != target.Version {
		if earlier, err := LookupTarget(h.Discovery, directive.Name, directive.Spec.TargetVersion); err == nil {
			h.note("kept version %s of the type, which was enabled with it; --version %s changes it", earlier.Version, target.Version)
			target = earlier
		}
	}
	definitions, err := h.definitions(ctx, target)
	if err != nil {
		return nil, err
	}
	return h.enablement(target, directive, before, definitions)
}

// keep fills in what an earlier enable was told, and this one is not. With it comes
// what there was of the type.
func (h *Host) keep(ctx context.Context, target metav1.APIResource, directive Directive) (Directive, earlier, error) {
	if h.Client == nil { // what a file says, without a cluster
		return directive, earlier{}, nil
	}
	existing, found := &fedcorev1beta1.FederatedTypeConfig{}, earlier{}
	err := h.Client.Get(ctx, client.ObjectKey{Namespace: h.Namespace, Name: typeconfig.QualifiedName(target.Name, target.Group)}, existing)
	switch {
	case meta.IsNoMatchError(err):
		return directive, found, nil
	case apierrors.IsNotFound(err):
		if existing, err = h.disabled(ctx, target, directive); err != nil || existing == nil {
			return directive, found, err
		}
		found.disabled = existing
	case err != nil:
		return directive, found, fmt.Errorf("reading the FederatedTypeConfig of %s: %w", target.Name, err)
	default:
		found.enabled = true
	}
	spec := &directive.Spec
	spec.TargetVersion = cmp.Or(spec.TargetVersion, existing.Spec.TargetType.Version)
	spec.FederatedGroup = cmp.Or(spec.FederatedGroup, existing.Spec.FederatedType.Group)
	spec.FederatedVersion = cmp.Or(spec.FederatedVersion, existing.Spec.FederatedType.Version)
	return directive, found, nil
}

// earlier is what there was of a type before it is enabled.
type earlier struct {
	// enabled says that the type is enabled already.
	enabled bool
	// disabled is what was kept of it when it was disabled; nil if nothing was.
	disabled *fedcorev1beta1.FederatedTypeConfig
}

// note tells of something that is no change.
func (h *Host) note(format string, args ...any) {
	if h.Notes != nil {
		fmt.Fprintf(h.Notes, format+"\n", args...) // a lost line is no reason to stop
	}
}

func (h *Host) enablement(target metav1.APIResource, directive Directive, before earlier, definitions map[string]*spec.Schema) (*Enablement, error) {
	config := TypeConfigFor(target, directive)
	config.Namespace = h.Namespace
	h.chooseFor(config, directive, before)
	federatedType, err := typeconfig.FromFederatedTypeConfig(config)
	if err != nil {
		return nil, err
	}
	in := definition.Input{Type: federatedType, ShortNames: target.ShortNames, Definitions: definitions}
	if rollup, ok := h.Rollups[federatedType.Target.GVK.GroupKind()]; ok {
		in.Rollup = &rollup
	}
	return &Enablement{TypeConfig: config, CRD: definition.Generate(in)}, nil
}

// definitions returns the schema of target and what it refers to.
func (h *Host) definitions(ctx context.Context, target metav1.APIResource) (map[string]*spec.Schema, error) {
	if target.Group != "" {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		err := h.Client.Get(ctx, client.ObjectKey{Name: typeconfig.QualifiedName(target.Name, target.Group)}, crd)
		if err == nil {
			return definition.CRDDefinitions(crd, target.Version)
		}
		if !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("reading the definition of %s: %w", typeconfig.QualifiedName(target.Name, target.Group), err)
		}
	}
	return FetchDefinitions(h.Discovery.OpenAPIV3(), schema.GroupVersion{Group: target.Group, Version: target.Version})
}

// FetchDefinitions fetches the schemas that an API server publishes for gv; none when
// it publishes none, as an aggregated API server may.
func FetchDefinitions(client openapi.Client, gv schema.GroupVersion) (map[string]*spec.Schema, error) {
	paths, err := client.Paths()
	if err != nil {
		return nil, fmt.Errorf("reading the index of the OpenAPI v3 schemas: %w", err)
	}
	path := "apis/" + gv.String()
	if gv.Group == "" {
		path = "api/" + gv.Version
	}
	document, ok := paths[path]
	if !ok {
		return map[string]*spec.Schema{}, nil
	}
	data, err := document.Schema("application/json")
	if err != nil {
		return nil, fmt.Errorf("reading the OpenAPI v3 schema of %s: %w", gv, err)
	}
	return definition.ParseDefinitions(data)
}

// Objects are what Enable applies, in this order.
func (e *Enablement) Objects() ([]*unstructured.Unstructured, error) {
	crd, err := serverapply.FromTyped(e.CRD)
	if err != nil {
		return nil, err
	}
	config, err := serverapply.FromTyped(e.TypeConfig)
	if err != nil {
		return nil, err
	}
	return append(Rights(e.TypeConfig.Spec.FederatedType.Group, e.TypeConfig.Namespace), crd, config), nil
}

// Enable puts e into the host, or with dryRun only says what that would change.
// Repeating it updates the schema and the target version and changes nothing else.
func (h *Host) Enable(ctx context.Context, e *Enablement, dryRun bool) error {
	if err := h.checkConflicts(ctx, e); err != nil {
		return err
	}
	objects, err := e.Objects()
	if err != nil {
		return err
	}
	applier := serverapply.Applier{Client: h.Client, FieldManager: "fedctl-enable", DryRun: dryRun}
	if !dryRun {
		if err := applier.Check(ctx, objects); err != nil {
			return fmt.Errorf("nothing was done: %w", err)
		}
	}
	for _, object := range objects {
		result, err := h.apply(ctx, e, applier, object)
		if err != nil {
			return err
		}
		h.say("%s %s%s", serverapply.Describe(object), result, dryRunSuffix(dryRun))
		if object.GetKind() == e.CRD.Kind && !dryRun {
			if err := h.waitEstablished(ctx, object.GetName()); err != nil {
				return err
			}
		}
	}
	if dryRun {
		return nil
	}
	return h.forgetDisabled(ctx, definitionOf(e.TypeConfig))
}

// apply applies one of the objects of e.
func (h *Host) apply(ctx context.Context, e *Enablement, applier serverapply.Applier, object *unstructured.Unstructured) (serverapply.Result, error) {
	if object.GetKind() != e.TypeConfig.Kind {
		return applier.Apply(ctx, object)
	}
	chosen, err := h.applyChoices(ctx, e.TypeConfig, applier.DryRun)
	if err != nil {
		return "", err
	}
	result, err := applier.Apply(ctx, withoutChoices(object))
	if result == serverapply.Created || chosen == serverapply.Unchanged {
		return result, err
	}
	return chosen, err
}

// checkConflicts refuses what would make two types fight over the same objects
// or the same federated type.
func (h *Host) checkConflicts(ctx context.Context, e *Enablement) error {
	if err := h.Client.Get(ctx, client.ObjectKey{Name: h.Namespace}, &corev1.Namespace{}); apierrors.IsNotFound(err) {
		return fmt.Errorf("the host cluster has no namespace %s: install the control plane (fedctl install), or name its namespace with --kubefed-namespace", h.Namespace)
	} else if err != nil {
		return err
	}
	var others fedcorev1beta1.FederatedTypeConfigList
	if err := h.Client.List(ctx, &others, client.InNamespace(h.Namespace)); err != nil {
		return fmt.Errorf("listing FederatedTypeConfigs in namespace %s: %w", h.Namespace, err)
	}
	for i := range others.Items {
		if err := conflict(e.TypeConfig, typeconfig.WithDefaults(&others.Items[i])); err != nil {
			return err
		}
	}
	return nil
}

// conflict says why wanted cannot be enabled beside other, or as its update.
func conflict(wanted, other *fedcorev1beta1.FederatedTypeConfig) error {
	federated, otherFederated := wanted.Spec.FederatedType, other.Spec.FederatedType
	name := typeconfig.QualifiedName(federated.PluralName, federated.Group) + "/" + federated.Version
	otherName := typeconfig.QualifiedName(otherFederated.PluralName, otherFederated.Group) + "/" + otherFederated.Version
	target, otherTarget := wanted.Spec.TargetType, other.Spec.TargetType
	switch {
	case target.PluralName == otherFederated.PluralName && target.Group == otherFederated.Group:
		return fmt.Errorf("%s cannot be enabled: it is the federated type of %s", wanted.Name, other.Name)
	case wanted.Name == other.Name && name != otherName:
		return fmt.Errorf("%s is already enabled with the federated type %s; changing that to %s is not supported: disable the type first", wanted.Name, otherName, name)
	case wanted.Name == other.Name:
		return nil
	case target.PluralName == otherTarget.PluralName && equivalent(target.PluralName, target.Group, otherTarget.Group):
		return fmt.Errorf("%s cannot be enabled while %s is, which are the same objects in another group: two FederatedTypeConfigs would fight over them", wanted.Name, other.Name)
	case federated.PluralName == otherFederated.PluralName && federated.Group == otherFederated.Group:
		return fmt.Errorf("%s cannot be enabled: FederatedTypeConfig %s already uses the federated type %s; choose another group with --federated-group", wanted.Name, other.Name, otherName)
	}
	return nil
}

// waitEstablished waits until the API server serves a CustomResourceDefinition.
func (h *Host) waitEstablished(ctx context.Context, name string) error {
	var crd apiextensionsv1.CustomResourceDefinition
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		if err := h.Client.Get(ctx, client.ObjectKey{Name: name}, &crd); err != nil {
			return false, err
		}
		for _, condition := range crd.Status.Conditions {
			if condition.Type == apiextensionsv1.NamesAccepted && condition.Status == apiextensionsv1.ConditionFalse {
				return false, fmt.Errorf("the API server refuses its names: %s", condition.Message)
			}
			if condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for CustomResourceDefinition %s to be served: %w", name, err)
	}
	return nil
}

// patience is how long a wait may take before it is spoken of.
const patience = 2 * time.Second

// WaitRunning waits until the controller reports that it propagates the type of
// the FederatedTypeConfig with this name.
func (h *Host) WaitRunning(ctx context.Context, name string, timeout time.Duration) error {
	return h.waitStatus(ctx, name, fedcorev1beta1.ControllerStatusRunning, timeout)
}

func (h *Host) waitStatus(ctx context.Context, name string, want fedcorev1beta1.ControllerStatus, timeout time.Duration) error {
	var config fedcorev1beta1.FederatedTypeConfig
	began, said := time.Now(), false
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		err := h.Client.Get(ctx, client.ObjectKey{Namespace: h.Namespace, Name: name}, &config)
		status := config.Status
		if !said && time.Since(began) > patience {
			h.say("waiting up to %s for the controller to report %s", timeout, want)
			said = true
		}
		return err == nil && status.ObservedGeneration == config.Generation && status.PropagationController == want, err
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		seen := "it has not reported anything yet"
		if config.Status.ObservedGeneration != 0 {
			seen = fmt.Sprintf("it last reported %s for generation %d of %d", config.Status.PropagationController, config.Status.ObservedGeneration, config.Generation)
		}
		return fmt.Errorf("the controller did not report %s for FederatedTypeConfig %s/%s within %s (%s): is it running? See kubectl -n %s get pods, and kubectl -n %s describe ftc %s",
			want, h.Namespace, name, timeout, seen, h.Namespace, h.Namespace, name)
	}
	if err != nil {
		return fmt.Errorf("reading FederatedTypeConfig %s/%s: %w", h.Namespace, name, err)
	}
	return nil
}

func (h *Host) say(format string, args ...any) {
	if h.Out != nil {
		fmt.Fprintf(h.Out, format+"\n", args...) // a lost line of progress is no reason to stop half-way
	}
}

func dryRunSuffix(dryRun bool) string {
	if dryRun {
		return " (dry run)"
	}
	return ""
}
