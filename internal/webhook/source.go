package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/webhookcerts"
)

// requestTimeout is for a request to the host's API server.
const requestTimeout = 15 * time.Second

// source holds the certificate that is served. It is read from the Secret again
// and again, in every replica; a new one is served without a restart, and as long
// as none can be read the last one stays.
type source struct {
	reader  client.Reader
	secret  types.NamespacedName
	period  time.Duration
	log     logr.Logger
	current atomic.Pointer[tls.Certificate]
}

// NeedLeaderElection says that every replica serves.
func (*source) NeedLeaderElection() bool { return false }

// Start reads the Secret until ctx ends.
func (s *source) Start(ctx context.Context) error {
	for {
		if err := s.read(ctx); err != nil && ctx.Err() == nil {
			s.log.V(1).Info("The webhook's certificate could not be read; the last one stays", "secret", s.secret, "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.wait()):
		}
	}
}

// wait is short until there is a certificate.
func (s *source) wait() time.Duration {
	if s.current.Load() == nil {
		return min(s.period, time.Second)
	}
	return s.period
}

func (s *source) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	secret := &corev1.Secret{}
	if err := s.reader.Get(ctx, s.secret, secret); err != nil {
		return err
	}
	state, err := webhookcerts.Decode(secret.Data)
	if err != nil {
		return err
	}
	s.use(state)
	return nil
}

// use serves the certificate of state, if it has one.
func (s *source) use(state webhookcerts.State) {
	certificate := state.TLS()
	if certificate == nil {
		return
	}
	if last := s.current.Swap(certificate); last == nil || !last.Leaf.Equal(certificate.Leaf) {
		s.log.Info("Serving the webhook with a new certificate", "until", certificate.Leaf.NotAfter)
	}
}

func (s *source) getCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if certificate := s.current.Load(); certificate != nil {
		return certificate, nil
	}
	return nil, errors.New("the webhook has no certificate yet")
}
