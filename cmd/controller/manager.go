package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	mcmanager "sigs.k8s.io/multicluster-runtime/pkg/manager"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/configcontroller"
	"github.com/fedctl/fedctl/internal/rollups"
	"github.com/fedctl/fedctl/pkg/backup/executor"
	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/propagation"
	"github.com/fedctl/fedctl/pkg/schedule"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// hostConfig finds the host cluster: a kubeconfig if one is named or there is
// no service account, else the Pod's service account.
func hostConfig(kubeconfig, context string) (*rest.Config, error) {
	if kubeconfig == "" && context == "" {
		if inCluster, err := rest.InClusterConfig(); err == nil {
			return inCluster, nil
		} else if !errors.Is(err, rest.ErrNotInCluster) {
			return nil, fmt.Errorf("service account of the Pod: %w", err)
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	host, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig of the host cluster: %w", err)
	}
	return host, nil
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, fedcorev1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // a type registered twice: a mistake of the program, seen at its first start
		}
	}
	return scheme
}

// setUpLogging sends all logs, client-go's too, to standard error in the chosen format.
func setUpLogging(settings *config.Config) {
	options := &slog.HandlerOptions{Level: slog.Level(-settings.LogLevel)}
	var handler slog.Handler = slog.NewJSONHandler(os.Stderr, options)
	if settings.LogFormat == "text" {
		handler = slog.NewTextHandler(os.Stderr, options)
	}
	log := logr.FromSlogHandler(handler)
	ctrl.SetLogger(log)
	klog.SetLogger(log.WithName("client-go"))
}

// newManager wires the parts together: the provider of member clusters, the
// engine, the scheduler of replicas, and the controller that tells those two
// which types run.
func newManager(host *rest.Config, settings *config.Config, kubefed *fedcorev1beta1.KubeFedConfig) (mcmanager.Manager, error) {
	host = rest.CopyConfig(host)
	host.UserAgent = "fedctl-controller"
	host.QPS, host.Burst = -1, -1 // the API server's own priority and fairness decides
	options := managerOptions(settings)
	hook, err := newWebhook(settings)
	if err != nil {
		return nil, err
	}
	if hook != nil {
		options.WebhookServer = hook.Server()
	}
	local, err := manager.New(host, options)
	if err != nil {
		return nil, fmt.Errorf("manager: %w", err)
	}
	if err := setUpKubeFedConfig(local, hook, settings, kubefed); err != nil {
		return nil, err
	}
	provider, err := membership.New(local, membership.Options{
		KubeFedNamespace: settings.KubeFedNamespace,
		Period:           settings.HealthCheckPeriod,
		Timeout:          settings.HealthCheckTimeout,
		FailureThreshold: settings.HealthCheckFailureThreshold,
		SuccessThreshold: settings.HealthCheckSuccessThreshold,
		QPS:              settings.MemberQPS,
		Burst:            settings.MemberBurst,
		RequestTimeout:   settings.RequestTimeout,
		UserAgent:        host.UserAgent,
		EventRecorder:    eventnote.NewRecorder(local, "fedctl"),
		Logger:           ctrl.Log.WithName("membership"),
	})
	if err != nil {
		return nil, err
	}
	mgr, err := mcmanager.WithMultiCluster(local, provider)
	if err != nil {
		return nil, fmt.Errorf("multicluster manager: %w", err)
	}
	engine, err := propagation.New(mgr, provider, propagation.Options{
		KubeFedNamespace:       settings.KubeFedNamespace,
		TargetNamespace:        settings.TargetNamespace(),
		AdoptResources:         settings.AdoptResources,
		Workers:                settings.Workers,
		WorkersPerCluster:      settings.WorkersPerCluster,
		HostWorkers:            settings.HostWorkers,
		RequestTimeout:         settings.RequestTimeout,
		SettleTimeout:          settings.SettleTimeout,
		RetryMax:               settings.RetryMax,
		UnreadyDeletionTimeout: settings.UnreadyDeletionTimeout,
		PropagatedVersions:     settings.VersionRecords == config.RecordPropagatedVersion,
		Rollups:                rollups.Functions(),
	})
	if err != nil {
		return nil, err
	}
	if err := followTypes(mgr, provider, engine, settings); err != nil {
		return nil, err
	}
	if settings.Backups {
		options := backupOptions(settings)
		options.Shared = executor.NewSlots(settings.BackupJobs)
		options.Allowed = &executor.Allowed{FilesystemRoots: settings.BackupFilesystemRoots, OwnIdentity: settings.BackupOwnIdentity}
		options.Reporter = &executor.ClusterReporter{
			Reader: local.GetAPIReader(), Writer: local.GetClient(), Events: eventnote.NewRecorder(local, "fedctl"),
			Namespace: settings.KubeFedNamespace, Logger: options.Logger,
		}
		if err := mgr.Add(&executor.Fleet{Options: options}); err != nil {
			return nil, err
		}
	}
	// Runs in the leader only. The words are KubeFed's.
	promoted := manager.RunnableFunc(func(context.Context) error {
		ctrl.Log.Info("This controller was promoted as leader")
		return nil
	})
	return mgr, errors.Join(
		local.Add(promoted),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("host-cache", func(r *http.Request) error {
			if !local.GetCache().WaitForCacheSync(r.Context()) {
				return errors.New("the host cluster's objects have not been read yet")
			}
			return nil
		}),
	)
}

// followTypes has the engine and the scheduler of replicas told which types run.
// Without the gate PushReconciler they are told of none.
func followTypes(mgr mcmanager.Manager, provider *membership.Provider, engine *propagation.Engine, settings *config.Config) error {
	if !settings.PushReconciler {
		return nil
	}
	registrars := typeconfig.Registrars{engine}
	if settings.SchedulerPreferences {
		scheduler, err := schedule.New(mgr, provider, schedule.Options{
			TargetNamespace:    settings.TargetNamespace(),
			UnschedulableAfter: settings.UnschedulableAfter,
			RequestTimeout:     settings.RequestTimeout,
		})
		if err != nil {
			return err
		}
		registrars = append(registrars, scheduler)
	}
	return typeconfig.SetupController(mgr.GetLocalManager(), typeconfig.ControllerOptions{
		Namespace:     settings.KubeFedNamespace,
		Registrar:     registrars,
		CollectStatus: settings.CollectStatus,
		LimitedScope:  settings.TargetNamespace() != "",
	})
}

func managerOptions(settings *config.Config) manager.Options {
	cached := typeconfig.CacheByObject(settings.KubeFedNamespace)
	maps.Copy(cached, configcontroller.CacheByObject(settings.KubeFedNamespace))
	return manager.Options{
		Scheme: newScheme(),
		Logger: ctrl.Log,
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         cached,
		},
		LeaderElection:                settings.LeaderElect,
		LeaderElectionID:              "fedctl-controller",
		LeaderElectionNamespace:       settings.KubeFedNamespace,
		LeaderElectionResourceLock:    "leases",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &settings.LeaseDuration,
		RenewDeadline:                 &settings.RenewDeadline,
		RetryPeriod:                   &settings.RetryPeriod,
		Metrics:                       metricsserver.Options{BindAddress: settings.MetricsAddress},
		HealthProbeBindAddress:        settings.HealthProbeAddress,
		PprofBindAddress:              settings.ProfilingAddress,
	}
}
