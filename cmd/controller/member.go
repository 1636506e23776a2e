package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/pkg/backup/executor"
)

// runMember executes the backups of one cluster from inside it. The Lease that
// keeps it and the host's controller apart is the executor's own.
func runMember(ctx context.Context, own *rest.Config, c *config.Config) error {
	if err := c.Finish(nil); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	setUpLogging(c.Process)
	ctrl.Log.Info("Starting", "version", version.Get(), "cluster", own.Host, "settings", c.Values())
	own = rest.CopyConfig(own)
	own.UserAgent = "fedctl-backup-executor"
	own.QPS, own.Burst = -1, -1
	mgr, err := manager.New(own, manager.Options{
		Scheme:                 newScheme(),
		Logger:                 ctrl.Log,
		Metrics:                metricsOptions(c.Process),
		HealthProbeBindAddress: c.Process.HealthProbeAddress,
		PprofBindAddress:       c.Process.ProfilingAddress,
	})
	if err != nil {
		return fmt.Errorf("manager: %w", err)
	}
	options, err := backupOptions(c, own)
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

// backupOptions are those of executors; own is the cluster that this process belongs to.
func backupOptions(c *config.Config, own *rest.Config) (executor.Options, error) {
	rules, err := c.Backups.Network()
	return executor.Options{
		Election:       c.Election,
		Backups:        c.Backups,
		Network:        rules.Excluding(own.Host),
		Namespace:      c.TargetNamespace(),
		LeaseNamespace: c.KubeFedNamespace,
		Logger:         ctrl.Log.WithName("backup"),
	}, err
}
