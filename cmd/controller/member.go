package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/viper"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/pkg/backup/executor"
	"github.com/fedctl/fedctl/pkg/backup/network"
)

// runMember executes the backups of one cluster from inside it. The Lease that
// keeps it and the host's controller apart is the executor's own.
func runMember(ctx context.Context, own *rest.Config, v *viper.Viper) error {
	settings, err := config.Final(v, nil)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	setUpLogging(settings)
	ctrl.Log.Info("Starting", "mode", settings.Mode, "version", version.Get(), "cluster", own.Host)
	own = rest.CopyConfig(own)
	own.UserAgent = "fedctl-backup-executor"
	own.QPS, own.Burst = -1, -1
	mgr, err := manager.New(own, manager.Options{
		Scheme:                 newScheme(),
		Logger:                 ctrl.Log,
		Metrics:                metricsserver.Options{BindAddress: settings.MetricsAddress},
		HealthProbeBindAddress: settings.HealthProbeAddress,
		PprofBindAddress:       settings.ProfilingAddress,
	})
	if err != nil {
		return fmt.Errorf("manager: %w", err)
	}
	options, err := backupOptions(settings)
	if err != nil {
		return err
	}
	options.Config = own
	backups, err := executor.New(options)
	if err != nil {
		return err
	}
	if err := errors.Join(
		mgr.Add(manager.RunnableFunc(func(ctx context.Context) error { backups.Run(ctx); return nil })),
		mgr.AddHealthzCheck("ping", healthz.Ping),
		mgr.AddReadyzCheck("ping", healthz.Ping),
	); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func backupOptions(settings *config.Config) (executor.Options, error) {
	rules, err := network.Parse(settings.BackupAddresses)
	rules.TokenURIs = settings.BackupTokenURIs
	return executor.Options{
		Network:        rules,
		Namespace:      settings.TargetNamespace(),
		LeaseNamespace: settings.KubeFedNamespace,
		LeaseDuration:  settings.LeaseDuration,
		RenewDeadline:  settings.RenewDeadline,
		RetryPeriod:    settings.RetryPeriod,
		Jobs:           settings.BackupClusterJobs,
		Poll:           settings.BackupPoll,
		CacheDir:       settings.BackupCacheDir,
		Logger:         ctrl.Log.WithName("backup"),
	}, err
}
