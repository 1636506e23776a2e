package diff

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/settings"
)

// writing is how the controller writes.
type writing struct {
	// adopt says that objects which are there already are taken over.
	adopt bool
	// protected are prefixes of labels and annotations that are never taken over by force.
	protected []string
}

// controllersWriting reads it where the controller does: flags and environment of its
// Deployment, then the KubeFedConfig, then the defaults. A controller may run elsewhere.
func controllersWriting(ctx context.Context, host client.Client, f *cmdutil.Factory) (writing, error) {
	config := &fedcorev1beta1.KubeFedConfig{}
	err := host.Get(ctx, client.ObjectKey{Namespace: f.KubeFedNamespace, Name: kubefedconfig.Name}, config)
	if client.IgnoreNotFound(err) != nil {
		return writing{}, fmt.Errorf("reading KubeFedConfig %s/%s: %w", f.KubeFedNamespace, kubefedconfig.Name, err)
	}
	kubefedconfig.Default(&config.Spec)
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: f.KubeFedNamespace, Name: kubefedconfig.Controller}
	err = host.Get(ctx, key, deployment)
	if client.IgnoreNotFound(err) != nil {
		if !apierrors.IsForbidden(err) {
			return writing{}, fmt.Errorf("reading Deployment %s: %w", key, err)
		}
		_, _ = fmt.Fprintf(f.ErrOut, "warning: the controller's settings may not be read (Deployment %s): if it has others than the default, give --protected-keys\n", key)
	}
	told, elsewhere, err := settingsOf(deployment.Spec.Template.Spec.Containers)
	if err != nil {
		return writing{}, fmt.Errorf("Deployment %s: %w", key, err) //nolint:staticcheck // a kind begins it
	}
	if elsewhere {
		_, _ = fmt.Fprintf(f.ErrOut, "warning: the controller reads settings from where they cannot be seen (--config, or an environment from elsewhere, of Deployment %s): if it has others than the default, give --protected-keys\n", key)
	}
	w := writing{adopt: told.AdoptResources, protected: told.ProtectedKeys}
	if !told.saysAdopt {
		w.adopt = *config.Spec.SyncController.AdoptResources != fedcorev1beta1.AdoptResourcesDisabled
	}
	return w, nil
}

// told is what a Deployment says of how the controller writes.
type told struct {
	settings.Propagation

	saysAdopt bool
}

// settingsOf reads flags and environment of the controller's container. elsewhere says that
// there may be more, in a file or behind a reference.
func settingsOf(containers []corev1.Container) (t told, elsewhere bool, err error) {
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true // those of other subsystems
	flags.SetOutput(io.Discard)
	t.AddFlags(flags)
	file := flags.String("config", "", "")
	for _, container := range containers {
		if err := flags.Parse(slices.Concat(container.Command, container.Args)); err != nil {
			return t, false, err
		}
		elsewhere = elsewhere || len(container.EnvFrom) > 0
		for _, variable := range container.Env {
			name, ours := strings.CutPrefix(variable.Name, "FEDCTL_")
			flag := flags.Lookup(strings.ReplaceAll(strings.ToLower(name), "_", "-"))
			if !ours || flag == nil || flag.Changed {
				continue
			}
			if variable.ValueFrom != nil {
				elsewhere = true
			} else if err := flags.Set(flag.Name, variable.Value); err != nil {
				return t, false, fmt.Errorf("%s: %w", variable.Name, err)
			}
		}
	}
	t.saysAdopt = flags.Changed("adopt-resources")
	return t, elsewhere || *file != "", nil
}
