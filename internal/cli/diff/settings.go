package diff

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/settings"
)

// controllersSettings are how the controller writes: what its Deployment says, then the
// KubeFedConfig, then the defaults. A controller may run elsewhere.
func controllersSettings(ctx context.Context, host client.Client, f *cmdutil.Factory) (settings.Propagation, error) {
	kubefed := &fedcorev1beta1.KubeFedConfig{}
	err := host.Get(ctx, client.ObjectKey{Namespace: f.KubeFedNamespace, Name: kubefedconfig.Name}, kubefed)
	if client.IgnoreNotFound(err) != nil {
		return settings.Propagation{}, fmt.Errorf("reading KubeFedConfig %s/%s: %w", f.KubeFedNamespace, kubefedconfig.Name, err)
	} else if err != nil {
		kubefed = nil
	}
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: f.KubeFedNamespace, Name: kubefedconfig.Controller}
	err = host.Get(ctx, key, deployment)
	if client.IgnoreNotFound(err) != nil {
		if !apierrors.IsForbidden(err) {
			return settings.Propagation{}, fmt.Errorf("reading Deployment %s: %w", key, err)
		}
		_, _ = fmt.Fprintf(f.ErrOut, "warning: the controller's settings may not be read (Deployment %s): if it has others than the default, give --protected-keys\n", key)
	}
	told, err := config.OfDeployment(deployment.Spec.Template.Spec.Containers, kubefed)
	if err != nil {
		return settings.Propagation{}, fmt.Errorf("the settings of Deployment %s: %w", key, err)
	}
	if told.Hides("protected-keys", "adopt-resources") {
		_, _ = fmt.Fprintf(f.ErrOut, "warning: the controller reads settings from where they cannot be seen (--config, or an environment from elsewhere, of Deployment %s): if it has others than the default, give --protected-keys\n", key)
	}
	return told.Propagation, nil
}
