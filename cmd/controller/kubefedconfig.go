package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/viper"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/configcontroller"
	"github.com/fedctl/fedctl/internal/webhook"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// kubeFedConfig returns the KubeFedConfig from the file or the host cluster; nil if there is none.
func kubeFedConfig(ctx context.Context, host *rest.Config, v *viper.Viper) (*fedcorev1beta1.KubeFedConfig, error) {
	if path := v.GetString("kubefed-config"); path != "" {
		return config.ReadKubeFedConfig(path)
	}
	hostClient, err := client.New(host, client.Options{Scheme: newScheme()})
	if err != nil {
		return nil, fmt.Errorf("client of the host cluster: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	found := &fedcorev1beta1.KubeFedConfig{}
	key := client.ObjectKey{Namespace: v.GetString("kubefed-namespace"), Name: config.KubeFedConfigName}
	switch err := hostClient.Get(ctx, key, found); {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil //nolint:nilnil // documented: there is none
	case err != nil:
		return nil, fmt.Errorf("reading KubeFedConfig %s: %w", key, err)
	}
	return found, nil
}

// newWebhook returns the webhook that defaults KubeFedConfigs; nil without an address for it.
func newWebhook(settings *config.Config) (*webhook.Webhook, error) {
	if settings.WebhookAddress == "" {
		return nil, nil //nolint:nilnil // documented: there is none
	}
	return webhook.New(webhook.Options{
		BindAddress:       settings.WebhookAddress,
		URL:               settings.WebhookURL,
		Namespace:         settings.KubeFedNamespace,
		Configuration:     kubefedconfig.ClusterWideName("fedctl-controller", settings.KubeFedNamespace),
		AuthorityValidity: settings.WebhookCAValidity,
		Validity:          settings.WebhookCertificateValidity,
	})
}

// setUpKubeFedConfig adds what looks after stored KubeFedConfigs, and tells of the
// fields that have no effect. kubefed is what the settings were made from.
func setUpKubeFedConfig(mgr manager.Manager, hook *webhook.Webhook, settings *config.Config, kubefed *fedcorev1beta1.KubeFedConfig) error {
	if kubefed != nil {
		for _, note := range kubefedconfig.WithoutEffect(kubefed.Spec) {
			ctrl.Log.Info("A field of the KubeFedConfig has no effect", "field", note.Field, "why", note.Why)
		}
	}
	if hook != nil {
		if err := hook.Setup(mgr); err != nil {
			return fmt.Errorf("webhook: %w", err)
		}
	}
	return configcontroller.Setup(mgr, configcontroller.Options{
		Namespace: settings.KubeFedNamespace, Name: config.KubeFedConfigName,
		Used: kubefed, FromFile: settings.KubeFedConfigFile != "",
	})
}
