package install

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/serverapply"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// controllerName is the name of the controller's Deployment.
const controllerName = "fedctl-controller"

// Installer applies manifests to a host cluster.
type Installer struct {
	// Client of the host cluster; its scheme knows CustomResourceDefinitions.
	Client client.Client
	// Out gets a line for every object that changed, and a summary.
	Out io.Writer
	// DryRun asks the API server but changes nothing.
	DryRun bool
	// Image is that of the controller, if one was asked for.
	Image string
}

// Install applies objects, as manifests.Build returns them. CustomResourceDefinitions
// are served when the first object after them is applied.
func (i *Installer) Install(ctx context.Context, objects []*unstructured.Unstructured) error {
	if err := i.prepare(ctx, objects); err != nil {
		return err
	}
	counts := map[serverapply.Result]int{}
	var pending []string
	for _, object := range objects {
		isCRD := object.GetKind() == "CustomResourceDefinition"
		if !isCRD && len(pending) > 0 {
			if err := i.waitForCRDs(ctx, pending); err != nil {
				return err
			}
			pending = nil
		}
		what := serverapply.Describe(object)
		result, err := i.apply(ctx, object)
		if err != nil {
			return err
		}
		if result == leftOut {
			i.say("%s left out: the type was disabled (fedctl enable %s enables it again)", what, object.GetName())
			continue
		}
		counts[result]++
		if isCRD && !i.DryRun {
			pending = append(pending, object.GetName())
		}
		if result != serverapply.Unchanged {
			i.say("%s %s", what, result)
		}
	}
	suffix := ""
	if i.DryRun {
		suffix = " (dry run: nothing was done)"
	}
	i.say("%d created, %d configured, %d unchanged%s", counts[serverapply.Created], counts[serverapply.Configured], counts[serverapply.Unchanged], suffix)
	return nil
}

// leftOut is what becomes of the FederatedTypeConfig of a type that somebody has disabled.
const leftOut serverapply.Result = "left out"

// apply applies an object, unless it holds a choice of the cluster's owner that
// exists already, or one that he has made otherwise.
func (i *Installer) apply(ctx context.Context, object *unstructured.Unstructured) (serverapply.Result, error) {
	if chosen, err := i.isChosen(ctx, object); err != nil {
		return "", err
	} else if chosen {
		return serverapply.Unchanged, nil
	}
	if disabled, err := i.isDisabled(ctx, object); err != nil {
		return "", err
	} else if disabled {
		return leftOut, nil
	}
	return i.applier().Apply(ctx, object)
}

// isChosen says whether an object is a choice of the cluster's owner, and exists already.
func (i *Installer) isChosen(ctx context.Context, object *unstructured.Unstructured) (bool, error) {
	if !slices.Contains([]string{"KubeFedConfig", "FederatedTypeConfig"}, object.GetKind()) {
		return false, nil
	}
	existing := &metav1.PartialObjectMetadata{}
	existing.SetGroupVersionKind(object.GroupVersionKind())
	err := i.Client.Get(ctx, client.ObjectKeyFromObject(object), existing)
	if err == nil {
		return true, nil
	}
	if !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		return false, fmt.Errorf("%s: %w", serverapply.Describe(object), err)
	}
	return false, nil
}

// isDisabled says whether an object that is not there would enable a type that somebody has
// disabled.
func (i *Installer) isDisabled(ctx context.Context, object *unstructured.Unstructured) (bool, error) {
	if object.GetKind() != "FederatedTypeConfig" {
		return false, nil
	}
	_, disabled, err := enablement.Disabled(ctx, i.Client, manifests.DefinitionOf(object), object.GetNamespace())
	return disabled, err
}

// prepare changes the objects to what is to stay, and has the API server judge all that
// will be written before anything is.
func (i *Installer) prepare(ctx context.Context, objects []*unstructured.Unstructured) error {
	var written []*unstructured.Unstructured
	for _, object := range objects {
		if err := i.keepWhatIs(ctx, object); err != nil {
			return err
		}
		if chosen, err := i.isChosen(ctx, object); err != nil {
			return err
		} else if !chosen {
			written = append(written, object)
		}
	}
	if i.DryRun {
		return nil
	}
	if err := i.applier().Check(ctx, written); err != nil {
		return fmt.Errorf("nothing was done: %w", err)
	}
	return nil
}

func (i *Installer) applier() serverapply.Applier {
	return serverapply.Applier{Client: i.Client, FieldManager: manager, DryRun: i.DryRun}
}

// keepWhatIs changes an object to what is there where that was not this command's choice.
func (i *Installer) keepWhatIs(ctx context.Context, object *unstructured.Unstructured) error {
	if object.GetKind() == "Deployment" && containers[object.GetName()] != "" {
		return i.keepChoices(ctx, object)
	}
	return nil
}

func (i *Installer) waitForCRDs(ctx context.Context, names []string) error {
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		for len(names) > 0 {
			crd := &apiextensionsv1.CustomResourceDefinition{}
			if err := i.Client.Get(ctx, client.ObjectKey{Name: names[0]}, crd); err != nil {
				return false, err
			}
			if !established(crd) {
				return false, nil
			}
			names = names[1:]
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for the API server to serve %s: %w", strings.Join(names, ", "), err)
	}
	return nil
}

func established(crd *apiextensionsv1.CustomResourceDefinition) bool {
	return slices.ContainsFunc(crd.Status.Conditions, func(condition apiextensionsv1.CustomResourceDefinitionCondition) bool {
		return condition.Type == apiextensionsv1.Established && condition.Status == apiextensionsv1.ConditionTrue
	})
}

// WaitFor waits until a Deployment, called what in messages, has rolled out.
func (i *Installer) WaitFor(ctx context.Context, namespace, name, what string, timeout time.Duration) error {
	i.say("waiting for deployment.apps/%s to be ready", name)
	deployment := &appsv1.Deployment{}
	err := wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, timeout, true, func(ctx context.Context) (bool, error) {
		if err := i.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, deployment); err != nil {
			return false, err
		}
		status, wanted := deployment.Status, *deployment.Spec.Replicas
		return status.ObservedGeneration == deployment.Generation && status.UpdatedReplicas == wanted && status.AvailableReplicas == wanted, nil
	})
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("%s is not ready after %s: %s; see kubectl -n %s describe pods -l app.kubernetes.io/name=%s",
			what, timeout, i.whyNotReady(ctx, deployment), namespace, name)
	}
	if err != nil {
		return fmt.Errorf("waiting for %s to be ready: %w", what, err)
	}
	return nil
}

// whyNotReady looks for the reason in the pods of a Deployment, which was not read if
// there was no answer in time.
func (i *Installer) whyNotReady(ctx context.Context, deployment *appsv1.Deployment) string {
	if deployment.Spec.Replicas == nil {
		return "the host cluster has not told of its Deployment in time"
	}
	why := fmt.Sprintf("%d of %d replicas are available", deployment.Status.AvailableReplicas, *deployment.Spec.Replicas)
	var pods corev1.PodList
	if err := i.Client.List(ctx, &pods, client.InNamespace(deployment.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels)); err != nil {
		return why
	}
	for _, pod := range pods.Items {
		for _, status := range pod.Status.ContainerStatuses {
			if waiting := status.State.Waiting; waiting != nil {
				return fmt.Sprintf("%s; pod %s waits: %s %s", why, pod.Name, waiting.Reason, waiting.Message)
			}
		}
		for _, condition := range pod.Status.Conditions {
			if condition.Status == corev1.ConditionFalse && condition.Message != "" {
				return fmt.Sprintf("%s; pod %s: %s", why, pod.Name, condition.Message)
			}
		}
	}
	return why
}

// next says what to do after installing, fleetAPI if that was installed as well.
func (i *Installer) next(options manifests.Options, fleetAPI bool) error {
	var run, access string
	if options.WithoutController {
		run = fmt.Sprintf("\n  controller --kubefed-namespace %s   run it with the rights of ServiceAccount %s", options.Namespace, controllerName)
	}
	if fleetAPI && options.WithoutController {
		run += fmt.Sprintf("\n  controller --mode=fleet-api --kubefed-namespace %[1]s   with those of %[2]s, and the certificate in Secret %[2]s", options.Namespace, kubefedconfig.FleetAPI)
	}
	if fleetAPI {
		access = "\n  fedctl join CLUSTER --fleet-access   let users of the host into a member, each as himself"
	}
	_, err := fmt.Fprintf(i.Out, `
The control plane is installed in namespace %s. Next:%s
  fedctl join CLUSTER        make a cluster a member%s
  fedctl enable TYPE         federate more types than the default ones
`, options.Namespace, run, access)
	return err
}

func (i *Installer) say(format string, args ...any) {
	fmt.Fprintf(i.Out, format+"\n", args...) // a lost line of progress is no reason to stop half-way
}
