package framework

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// FleetAPI is the API server of the fleet as a process, with the rights and the certificate
// that an installation gives it.
type FleetAPI struct {
	*Controller
	// Address is where it serves itself, host:port.
	Address string

	host *Cluster
}

// InstallFleetAPI installs the API of the fleet into the host, beside a control plane that
// runs, and starts its server, which serves when it returns. flags are given to it.
func (s *System) InstallFleetAPI(ctx context.Context, flags ...string) (*FleetAPI, error) {
	address, err := FreeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, err := s.Run(ctx, "install", "--without-controller", "--fleet-api", "--fleet-api-address", "localhost:"+port); err != nil {
		return nil, err
	}
	certificates, err := s.fleetCertificates(ctx)
	if err != nil {
		return nil, err
	}
	process, err := NewProcess(ctx, s.Programs.Controller, s.dir, s.Host(), "fleet-api", KubeFedNamespace, kubefedconfig.FleetAPI)
	if err != nil {
		return nil, err
	}
	process.Flags = append(append(process.Flags, "--mode=fleet-api", "--fleet-api-bind-address="+address, "--fleet-api-cert-dir="+certificates), flags...)
	f := &FleetAPI{Controller: process, Address: address, host: s.Host()}
	if err := f.Launch(); err != nil {
		return nil, err
	}
	return f, f.WaitServed(ctx)
}

// fleetCertificates writes the certificate that was installed, as a Pod is given it.
func (s *System) fleetCertificates(ctx context.Context) (dir string, err error) {
	secret := &corev1.Secret{}
	if err := s.Host().Get(ctx, client.ObjectKey{Namespace: KubeFedNamespace, Name: kubefedconfig.FleetAPI}, secret); err != nil {
		return "", err
	}
	dir = filepath.Join(s.dir, "certificates")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), secret.Data[name], 0o600))
	}
	return dir, err
}

// served is how long the host may take to serve the API of a server that has just started.
const served = 2 * time.Minute

// WaitServed returns when the host serves the API.
func (f *FleetAPI) WaitServed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, served)
	defer cancel()
	host, err := discovery.NewDiscoveryClientForConfig(f.host.Config)
	if err != nil {
		return err
	}
	for {
		_, err := host.ServerResourcesForGroupVersion(fleetv1alpha1.GroupVersion.String())
		switch {
		case err == nil:
			return nil
		case !f.Running():
			return fmt.Errorf("the API server of the fleet ended:\n%s", f.LogTail(20))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the host does not serve the API of the fleet after %s: %w\n%s", served, err, f.LogTail(20))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
