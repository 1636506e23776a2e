package install

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// certificateLifetime is that of the certificate of the fleet's API server. It proves to
// the host's API server alone that it is the one; kubeadm's authority for the way back
// lives as long.
const certificateLifetime = 10 * 365 * 24 * time.Hour

// fleetObjects are those of the API server of the fleet, with the certificate that there
// is, or a new one.
func (o *Options) fleetObjects(ctx context.Context, i *Installer) ([]*unstructured.Unstructured, error) {
	if err := i.refuseOtherFleetAPI(ctx, o.Manifests.Namespace); err != nil {
		return nil, err
	}
	secret := &corev1.Secret{}
	err := i.Client.Get(ctx, client.ObjectKey{Namespace: o.Manifests.Namespace, Name: kubefedconfig.FleetAPI}, secret)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading Secret %s/%s: %w", o.Manifests.Namespace, kubefedconfig.FleetAPI, err)
	}
	fleet := o.Fleet
	if err := certify(&fleet, o.Manifests.Namespace, secret.Data, time.Now()); err != nil {
		return nil, err
	}
	return manifests.FleetAPI(o.Manifests, fleet)
}

// refuseOtherFleetAPI keeps a control plane from taking the API of another one.
func (i *Installer) refuseOtherFleetAPI(ctx context.Context, namespace string) error {
	existing := &unstructured.Unstructured{}
	existing.SetAPIVersion("apiregistration.k8s.io/v1")
	existing.SetKind("APIService")
	err := i.Client.Get(ctx, client.ObjectKey{Name: manifests.FleetAPIService}, existing)
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading APIService %s: %w", manifests.FleetAPIService, err)
	}
	other, _, _ := unstructured.NestedString(existing.Object, "spec", "service", "namespace")
	if other == namespace {
		return nil
	}
	return fmt.Errorf("the API of the fleet is that of the control plane in namespace %s, and a cluster has one; to have it here, delete APIService %s first", other, manifests.FleetAPIService)
}

// certify completes the options with a certificate: the one that is there for the greater
// part of its life, then a new one. The authority of the last stays beside the new one's,
// until all servers have taken up the new certificate.
func certify(fleet *manifests.FleetAPIOptions, namespace string, there map[string][]byte, now time.Time) error {
	host := kubefedconfig.FleetAPI + "." + namespace + ".svc"
	fleet.Certificate, fleet.Key, fleet.Authority = there[corev1.TLSCertKey], there[corev1.TLSPrivateKeyKey], there[corev1.ServiceAccountRootCAKey]
	if good(fleet.Certificate, host, now) && len(fleet.Authority) > 0 && len(fleet.Key) > 0 {
		return nil
	}
	chain, key, err := certutil.GenerateSelfSignedCertKeyWithOptions(certutil.SelfSignedCertKeyOptions{Host: host, MaxAge: certificateLifetime})
	if err != nil {
		return fmt.Errorf("making a certificate for %s: %w", host, err)
	}
	_, authority := pem.Decode(chain) // the second one has signed the first
	last, _ := pem.Decode(fleet.Authority)
	fleet.Certificate, fleet.Key, fleet.Authority = chain, key, authority
	if last != nil {
		fleet.Authority = append(fleet.Authority, pem.EncodeToMemory(last)...)
	}
	return nil
}

// good says whether a certificate is for the host, and has a third of its life before it.
func good(chain []byte, host string, now time.Time) bool {
	block, _ := pem.Decode(chain)
	if block == nil {
		return false
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil || leaf.VerifyHostname(host) != nil {
		return false
	}
	return now.After(leaf.NotBefore) && leaf.NotAfter.Sub(now) > leaf.NotAfter.Sub(leaf.NotBefore)/3
}
