package importing

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/exported"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// checkHost refuses a host that has no control plane, or one that is at work.
func (i *importing) checkHost(ctx context.Context) error {
	namespace := i.options.factory.KubeFedNamespace
	if i.contents.Namespace != namespace {
		return fmt.Errorf("the export is of a control plane in namespace %s: name it with --kubefed-namespace, and install it there", i.contents.Namespace)
	}
	var configs fedcorev1beta1.FederatedTypeConfigList
	err := i.host.List(ctx, &configs, client.InNamespace(namespace))
	if err == nil {
		err = i.host.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{})
	}
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return fmt.Errorf("this host has no control plane in namespace %s: run \"fedctl install --without-controller\" first", namespace)
	case err != nil:
		return fmt.Errorf("reading the control plane in namespace %s: %w", namespace, err)
	}
	i.configs = configs.Items
	if err := i.readScope(ctx); err != nil {
		return err
	}
	if err := i.checkDeployment(ctx); err != nil {
		return err
	}
	return i.checkLease(ctx)
}

// readScope reads the scope of this host's control plane.
func (i *importing) readScope(ctx context.Context) error {
	var config fedcorev1beta1.KubeFedConfig
	err := i.host.Get(ctx, client.ObjectKey{Namespace: i.contents.Namespace, Name: kubefedconfig.Name}, &config)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the KubeFedConfig: %w", err)
	}
	i.reach = reachOf(i.contents.Namespace, config.Spec.Scope)
	return nil
}

func reachOf(plane string, scope apiextensionsv1.ResourceScope) exported.Reach {
	return exported.Reach{Plane: plane, Namespaced: cmp.Or(scope, apiextensionsv1.ClusterScoped) == apiextensionsv1.NamespaceScoped}
}

// checkDeployment refuses a host whose controller is to run, also where it does not yet, or
// not just now: it would lead in the middle of the import.
func (i *importing) checkDeployment(ctx context.Context) error {
	var deployment appsv1.Deployment
	err := i.host.Get(ctx, client.ObjectKey{Namespace: i.contents.Namespace, Name: kubefedconfig.Controller}, &deployment)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return fmt.Errorf("finding out whether the controller is to run: %w", err)
	case ptr.Deref(deployment.Spec.Replicas, 1) != 0:
		return i.atWork("is to run on this host, by its Deployment, and")
	case deployment.Status.Replicas > 0:
		return fmt.Errorf("the controller of this host has been stopped, and has %d Pod(s) yet: wait until they are gone, as this lists none:\n  %s get pods -l app.kubernetes.io/name=%s",
			deployment.Status.Replicas, i.options.factory.Kubectl(), kubefedconfig.Controller)
	}
	return nil
}

// checkLease refuses a host that a controller leads, wherever that runs.
func (i *importing) checkLease(ctx context.Context) error {
	namespace := i.options.factory.KubeFedNamespace
	err := i.host.Get(ctx, client.ObjectKey{Namespace: namespace, Name: kubefedconfig.Controller}, &coordinationv1.Lease{})
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("finding out whether a controller leads: %w", err)
	}
	i.progress.begin("looking whether a controller leads", 0)
	if cmdutil.Leaderless(ctx, i.host, namespace) == nil {
		return cmp.Or(ctx.Err(), i.atWork("of this host is at work, as its Lease was renewed a moment ago, and"))
	}
	return nil
}

func (i *importing) atWork(how string) error {
	return fmt.Errorf("the controller %s would take what it does not find yet for deleted: stop it, and start it again when the members have joined:\n  %s scale deployment %s --replicas 0", how, i.options.factory.Kubectl(), kubefedconfig.Controller)
}
