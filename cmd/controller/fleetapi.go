package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/fleetapi"
)

// runFleetAPI serves the API of the fleet. It elects no leader: any number may serve.
func runFleetAPI(ctx context.Context, host *rest.Config, c *config.Config) error {
	if err := c.Finish(nil); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	if c.Context != "" {
		return errors.New("configuration: context cannot be chosen with mode fleet-api: name a kubeconfig whose current context is that of the host cluster")
	}
	setUpLogging(c.Process)
	ctrl.Log.Info("Starting", "version", version.Get(), "host", host.Host, "settings", c.Values())
	host = rest.CopyConfig(host)
	host.UserAgent = "fedctl-fleet-api/" + version.Get()
	host.QPS, host.Burst = -1, -1
	drain := c.FleetAPI.DrainPeriod + c.FleetAPI.ResponseTimeout
	mgr, err := manager.New(host, manager.Options{
		Scheme: newScheme(),
		Logger: ctrl.Log,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&fedcorev1beta1.KubeFedCluster{}: {
					// One is looked at for each request: none is copied, as none is changed, and the
					// namespace is asked for in a way that does not have its scope looked up each time.
					Field:                 fields.OneTermEqualSelector("metadata.namespace", c.KubeFedNamespace),
					UnsafeDisableDeepCopy: ptr.To(true),
				},
			},
		},
		Metrics:                 metricsOptions(c.Process),
		HealthProbeBindAddress:  c.Process.HealthProbeAddress,
		PprofBindAddress:        c.Process.ProfilingAddress,
		GracefulShutdownTimeout: &drain,
	})
	if err != nil {
		return fmt.Errorf("manager: %w", err)
	}
	err = fleetapi.Setup(mgr, fleetapi.Options{
		FleetAPI: c.FleetAPI, KubeFedNamespace: c.KubeFedNamespace, Kubeconfig: c.Kubeconfig,
		View: fleetapi.View{Status: view.FleetStatus, Table: view.FleetTable},
	})
	if err != nil {
		return err
	}
	if err := errors.Join(
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("clusters", func(r *http.Request) error {
			if !mgr.GetCache().WaitForCacheSync(r.Context()) {
				return errors.New("the host's KubeFedClusters have not been read yet")
			}
			return nil
		}),
	); err != nil {
		return err
	}
	return mgr.Start(ctx)
}
