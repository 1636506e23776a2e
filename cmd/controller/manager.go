package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	mcmanager "sigs.k8s.io/multicluster-runtime/pkg/manager"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/configcontroller"
	"github.com/fedctl/fedctl/internal/metricsauth"
	"github.com/fedctl/fedctl/internal/rollups"
	"github.com/fedctl/fedctl/pkg/backup/executor"
	"github.com/fedctl/fedctl/pkg/capacity"
	"github.com/fedctl/fedctl/pkg/clusterprofile"
	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/propagation"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/replicas"
	"github.com/fedctl/fedctl/pkg/settings"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/controller"
)

// controlPlane is put together by set-ups, each of which adds one part to the
// manager and leaves here what later ones need of it.
type controlPlane struct {
	*config.Config
	// identity is the name of this process in the Lease.
	identity string
	// host is the client configuration of all but the election.
	host *rest.Config
	*election
	// kubefed is what the settings were made from; nil if there is none.
	kubefed *fedcorev1beta1.KubeFedConfig

	local      manager.Manager
	manager    mcmanager.Manager
	members    *membership.Provider
	registrars typeconfig.Registrars
	rights     typeconfig.Rights
	// preferences shares out replicas; nil where that is switched off.
	preferences *replicas.Controller
	tracer      trace.Tracer // nil: nobody wants traces
}

// newControlPlane puts the control plane together.
func newControlPlane(host *rest.Config, c *config.Config, kubefed *fedcorev1beta1.KubeFedConfig) (*controlPlane, error) {
	host = rest.CopyConfig(host)
	identity, err := newIdentity()
	if err != nil {
		return nil, err
	}
	host.UserAgent = userAgent(identity)
	host.QPS, host.Burst = -1, -1 // the API server's own priority and fairness decides
	p := &controlPlane{Config: c, identity: identity, host: host, kubefed: kubefed}
	for _, part := range []struct {
		name  string
		setUp func() error
	}{
		{"election of a leader", p.setUpElection},
		{"manager", p.setUpHost},
		{"members", p.setUpMembers},
		{"capacity", p.setUpCapacity},
		{"cluster profiles", p.setUpClusterProfiles},
		{"traces", p.setUpTraces},
		{"propagation", p.setUpPropagation},
		{"replicas", p.setUpReplicas},
		{"types", p.setUpTypes},
		{"backups", p.setUpBackups},
		{"probes", p.setUpProbes},
	} {
		if err := part.setUp(); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return p, nil
}

// setUpHost makes the manager of the host cluster, with what looks after its
// KubeFedConfig.
func (p *controlPlane) setUpHost() error {
	var err error
	if p.local, err = manager.New(p.host, p.managerOptions()); err != nil {
		return err
	}
	return p.setUpKubeFedConfig()
}

func (p *controlPlane) managerOptions() manager.Options {
	cached := controller.CacheByObject(p.KubeFedNamespace)
	maps.Copy(cached, configcontroller.CacheByObject(p.KubeFedNamespace))
	return manager.Options{
		Scheme: newScheme(),
		Logger: ctrl.Log,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         cached,
		},
		LeaderElection:                      p.Election.LeaderElect,
		LeaderElectionID:                    kubefedconfig.Controller,
		LeaderElectionResourceLockInterface: p.lock,
		LeaderElectionReleaseOnCancel:       true,
		LeaseDuration:                       &p.Election.LeaseDuration,
		RenewDeadline:                       &p.Election.RenewDeadline,
		RetryPeriod:                         &p.Election.RetryPeriod,
		Metrics:                             metricsOptions(p.Process),
		HealthProbeBindAddress:              p.Process.HealthProbeAddress,
		PprofBindAddress:                    p.Process.ProfilingAddress,
	}
}

func metricsOptions(s settings.Process) metricsserver.Options {
	options := metricsserver.Options{BindAddress: s.MetricsAddress, SecureServing: s.MetricsSecure, CertDir: s.MetricsCertDir}
	if s.MetricsSecure {
		options.FilterProvider = metricsauth.Filter
	}
	return options
}

// setUpMembers makes the provider of member clusters, and the manager that engages them.
func (p *controlPlane) setUpMembers() (err error) {
	plugins, err := reach.ReadPlugins(p.Members.CredentialPlugins)
	if err != nil {
		return fmt.Errorf("--credential-plugins: %w", err)
	}
	p.members, err = membership.New(p.local, membership.Options{
		Members:          p.Members,
		Plugins:          plugins,
		KubeFedNamespace: p.KubeFedNamespace,
		UserAgent:        p.host.UserAgent,
		Wrap:             p.fence.Wrap,
		EventRecorder:    eventnote.NewRecorder(p.local, "fedctl"),
		Logger:           ctrl.Log.WithName("membership"),
	})
	if err != nil {
		return err
	}
	p.manager, err = mcmanager.WithMultiCluster(p.local, p.members)
	return err
}

func (p *controlPlane) setUpCapacity() error {
	_, err := capacity.New(p.manager, p.members, capacity.Options{KubeFedNamespace: p.KubeFedNamespace, RequestTimeout: p.Members.RequestTimeout})
	return err
}

func (p *controlPlane) setUpClusterProfiles() error {
	_, err := clusterprofile.New(p.local, p.members, clusterprofile.Options{KubeFedNamespace: p.KubeFedNamespace, RequestTimeout: p.Members.RequestTimeout})
	return err
}

func (p *controlPlane) setUpPropagation() error {
	engine, err := propagation.New(p.manager, p.members, propagation.Options{
		Propagation:      p.Propagation,
		KubeFedNamespace: p.KubeFedNamespace,
		TargetNamespace:  p.TargetNamespace(),
		RequestTimeout:   p.Members.RequestTimeout,
		Rollups:          rollups.Functions(),
		ReportLeftovers:  p.members.ReportLeftovers,
		Tracer:           p.tracer,
		Scheduled: func(typeName string, key types.NamespacedName) bool {
			return p.preferences != nil && p.preferences.Schedules(typeName, key)
		},
		OnAutoscaling: func(typeName string, key types.NamespacedName) {
			if p.preferences != nil {
				p.preferences.LookAgain(typeName, key)
			}
		},
	})
	p.registrars = append(p.registrars, engine)
	if err == nil {
		p.rights = engine.Rights()
	}
	return err
}

func (p *controlPlane) setUpReplicas() error {
	if !p.Types.PushReconciler || !p.Replicas.SchedulerPreferences {
		return nil
	}
	controller, err := replicas.New(p.manager, p.members, replicas.Options{
		Replicas:        p.Replicas,
		TargetNamespace: p.TargetNamespace(),
		RequestTimeout:  p.Members.RequestTimeout,
	})
	p.registrars, p.preferences = append(p.registrars, controller), controller
	return err
}

// setUpTypes has the registrars told which types run. Without the gate
// PushReconciler they are told of none.
func (p *controlPlane) setUpTypes() error {
	if !p.Types.PushReconciler {
		return nil
	}
	return controller.Setup(p.local, controller.Options{
		Types:        p.Types,
		Namespace:    p.KubeFedNamespace,
		Registrar:    p.registrars,
		Rights:       p.rights,
		LimitedScope: p.TargetNamespace() != "",
	})
}

// setUpBackups executes the members' backups.
func (p *controlPlane) setUpBackups() error {
	if !p.Backups.Enabled {
		return nil
	}
	options, err := backupOptions(p.Config, p.host)
	if err != nil {
		return err
	}
	options.Shared = executor.NewSlots(p.Backups.Jobs)
	options.Allowed = &executor.Allowed{FilesystemRoots: p.Backups.FilesystemRoots, OwnIdentity: p.Backups.OwnIdentity}
	options.Reporter = &executor.ClusterReporter{
		Reader: p.local.GetAPIReader(), Writer: p.local.GetClient(), Events: eventnote.NewRecorder(p.local, "fedctl"),
		Namespace: p.KubeFedNamespace, Logger: options.Logger,
	}
	return p.manager.Add(&executor.Fleet{Options: options})
}

// setUpProbes says how the controller is, and when it has become the leader.
func (p *controlPlane) setUpProbes() error {
	// Runs in the leader only. The words are KubeFed's.
	promoted := manager.RunnableFunc(func(context.Context) error {
		ctrl.Log.Info("This controller was promoted as leader")
		ctrl.Log.Info("Starting cluster controller")
		return nil
	})
	return errors.Join(
		p.local.Add(promoted),
		p.manager.AddHealthzCheck("ping", healthz.Ping),
		p.manager.AddReadyzCheck("host-cache", func(r *http.Request) error {
			if !p.local.GetCache().WaitForCacheSync(r.Context()) {
				return errors.New("the host cluster's objects have not been read yet")
			}
			return nil
		}),
	)
}
