package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/webhookcerts"
)

// keeper renews the certificates and tells API servers, through the
// MutatingWebhookConfiguration, where the webhook is and what to trust. It runs in
// the leader; if two take themselves for it, the versions of both objects keep
// them from undoing each other's work.
type keeper struct {
	options Options
	certs   webhookcerts.Options
	source  *source
	secret  types.NamespacedName
	reader  client.Reader
	writer  client.Client
	log     logr.Logger
	now     func() time.Time
}

// NeedLeaderElection says that the leader renews.
func (*keeper) NeedLeaderElection() bool { return true }

// Start renews what is due until ctx ends.
func (k *keeper) Start(ctx context.Context) error {
	for {
		wait := k.certs.CheckPeriod()
		if err := k.renew(ctx); err != nil && ctx.Err() == nil {
			if !apierrors.IsConflict(err) { // somebody else was first: look again
				k.log.Error(err, "The webhook's certificates could not be looked after; will retry")
			}
			wait = min(wait, 2*time.Second)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// renew does one round. The order matters: what is signed with is trusted before,
// and what is trusted is stored before.
func (k *keeper) renew(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*requestTimeout)
	defer cancel()
	configuration := &admissionv1.MutatingWebhookConfiguration{}
	if err := k.reader.Get(ctx, types.NamespacedName{Name: k.options.Configuration}, configuration); err != nil {
		return fmt.Errorf("MutatingWebhookConfiguration %s, which fedctl install creates: %w", k.options.Configuration, err)
	}
	secret := &corev1.Secret{}
	if err := k.reader.Get(ctx, k.secret, secret); err != nil {
		return fmt.Errorf("secret %s, which fedctl install creates: %w", k.secret, err)
	}
	state, err := webhookcerts.Decode(secret.Data)
	if err != nil {
		k.log.Error(err, "The webhook's Secret is damaged; making new certificates", "secret", k.secret)
		state = webhookcerts.State{}
	}
	next, changed, err := webhookcerts.Renew(state, trusted(configuration), k.now(), k.certs)
	if err != nil {
		return err
	}
	if changed {
		if err := k.store(ctx, secret, next); err != nil {
			return err
		}
	}
	k.source.use(next)
	return k.announce(ctx, configuration, next.Bundle())
}

// trusted are the authorities that API servers trust. There is one webhook.
func trusted(configuration *admissionv1.MutatingWebhookConfiguration) []*x509.Certificate {
	if len(configuration.Webhooks) == 0 {
		return nil
	}
	return webhookcerts.Bundle(configuration.Webhooks[0].ClientConfig.CABundle)
}

func (k *keeper) store(ctx context.Context, secret *corev1.Secret, state webhookcerts.State) error {
	data, err := state.Encode()
	if err != nil {
		return err
	}
	secret.Data = data
	if err := k.writer.Update(ctx, secret); err != nil { // of the version that was read
		return fmt.Errorf("storing the webhook's certificates in Secret %s: %w", k.secret, err)
	}
	k.log.Info("Renewed the webhook's certificates", "authorities", len(state.Authorities), "until", state.Serving.Certificate.NotAfter)
	return nil
}

// announce writes where the webhook is and whom to trust, if that is not what the
// configuration says.
func (k *keeper) announce(ctx context.Context, configuration *admissionv1.MutatingWebhookConfiguration, bundle []byte) error {
	before := configuration.DeepCopy()
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ClientConfig = k.clientConfig(bundle)
	}
	if reflect.DeepEqual(before.Webhooks, configuration.Webhooks) {
		return nil
	}
	if err := k.writer.Update(ctx, configuration); err != nil {
		return fmt.Errorf("MutatingWebhookConfiguration %s: %w", configuration.Name, err)
	}
	return nil
}

func (k *keeper) clientConfig(bundle []byte) admissionv1.WebhookClientConfig {
	config := admissionv1.WebhookClientConfig{CABundle: bytes.Clone(bundle)}
	if k.options.URL != "" {
		config.URL = ptr.To(strings.TrimSuffix(k.options.URL, "/") + path)
		return config
	}
	config.Service = &admissionv1.ServiceReference{
		Namespace: k.options.Namespace, Name: serviceName, Path: ptr.To(path), Port: ptr.To[int32](443),
	}
	return config
}
