package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/configcontroller"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// kubeFedConfig returns the KubeFedConfig from the file or the host cluster; nil if there is none.
func kubeFedConfig(ctx context.Context, host *rest.Config, c *config.Config) (*fedcorev1beta1.KubeFedConfig, error) {
	if path := c.KubeFedConfigFile; path != "" {
		return config.ReadKubeFedConfig(path)
	}
	hostClient, err := client.New(host, client.Options{Scheme: newScheme()})
	if err != nil {
		return nil, fmt.Errorf("client of the host cluster: %w", err)
	}
	key := client.ObjectKey{Namespace: c.KubeFedNamespace, Name: kubefedconfig.Name}
	found, err := storedKubeFedConfig(ctx, hostClient, key, c.Members.RequestTimeout)
	if err != nil || found != nil || !c.WaitForKubeFedConfig {
		return found, err
	}
	ctrl.Log.Info("Waiting for the KubeFedConfig", "name", key.String())
	err = wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		found, err = storedKubeFedConfig(ctx, hostClient, key, c.Members.RequestTimeout)
		return found != nil, err
	})
	return found, err
}

// storedKubeFedConfig reads it from the host cluster; nil if it, or its kind, is not there.
func storedKubeFedConfig(ctx context.Context, host client.Reader, key client.ObjectKey, timeout time.Duration) (*fedcorev1beta1.KubeFedConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	found := &fedcorev1beta1.KubeFedConfig{}
	switch err := host.Get(ctx, key, found); {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil //nolint:nilnil // documented: there is none
	case err != nil:
		return nil, fmt.Errorf("reading KubeFedConfig %s: %w", key, err)
	}
	return found, nil
}

// setUpKubeFedConfig adds what looks after stored KubeFedConfigs, and tells of the
// fields that have no effect.
func (p *controlPlane) setUpKubeFedConfig() error {
	if p.kubefed != nil {
		for _, note := range kubefedconfig.WithoutEffect(p.kubefed.Spec) {
			ctrl.Log.Info("A field of the KubeFedConfig has no effect", "field", note.Field, "why", note.Why)
		}
	}
	return configcontroller.Setup(p.local, configcontroller.Options{
		Namespace: p.KubeFedNamespace, Name: kubefedconfig.Name,
		Used: p.kubefed, FromFile: p.KubeFedConfigFile != "",
	})
}
