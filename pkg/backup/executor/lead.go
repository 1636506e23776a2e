package executor

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/fedctl/fedctl/pkg/eventnote"
)

// core is what the reconcilers share while the Lease is held.
type core struct {
	opts       Options
	log        logr.Logger
	identity   string
	clusterUID string
	// client reads from caches what is watched, live reads from the API server.
	client client.Client
	live   client.Reader
	config *rest.Config
	// mayWrite is an error once the Lease is lost, for what is written elsewhere.
	mayWrite func() error
	events   *eventnote.Recorder
	jobs     *jobs
	// suspects are BackupRepositories that are to be looked at soon.
	suspects chan event.GenericEvent
	trials   trials
}

// maxSuspects repositories wait to be looked at before their time.
const maxSuspects = 100

// lead waits for the Lease and executes until it is lost or ctx ends. Everything
// that belongs to one term ends with it, so that the next one begins anew.
func (e *Executor) lead(ctx context.Context, clusterUID string) error {
	term, err := e.newTerm()
	if err != nil {
		return err
	}
	ctx, stop := term.during(ctx)
	defer stop()
	caches := cache.Options{DefaultTransform: cache.TransformStripManagedFields(), ReaderFailOnMissingInformer: true}
	if e.opts.Namespace != "" {
		caches.DefaultNamespaces = map[string]cache.Config{e.opts.Namespace: {}}
	}
	mgr, err := manager.New(term.config, manager.Options{
		Scheme:                              e.scheme,
		Logger:                              e.log,
		Metrics:                             metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:              "0",
		Cache:                               caches,
		LeaderElection:                      true,
		LeaderElectionResourceLockInterface: term.lock,
		LeaderElectionReleaseOnCancel:       true,
		LeaseDuration:                       &e.opts.LeaseDuration,
		RenewDeadline:                       &e.opts.RenewDeadline,
		RetryPeriod:                         &e.opts.RetryPeriod,
		GracefulShutdownTimeout:             ptr.To(20 * time.Second),
		Controller: config.Controller{
			SkipNameValidation: ptr.To(true), // one set of controllers for each cluster and term
			UsePriorityQueue:   ptr.To(false),
			RecoverPanic:       ptr.To(true),
			CacheSyncTimeout:   30 * time.Second,
		},
	})
	if err != nil {
		return fmt.Errorf("manager: %w", err)
	}
	c := &core{
		opts: e.opts, log: e.log, identity: e.identity, clusterUID: clusterUID,
		client: mgr.GetClient(), live: mgr.GetAPIReader(), config: mgr.GetConfig(), mayWrite: term.fence.Check,
		events: eventnote.NewRecorder(mgr, "fedctl-backup"),
		jobs:   newJobs(e.opts.ClusterJobs, e.opts.Shared, e.log), suspects: make(chan event.GenericEvent, maxSuspects),
	}
	defer forgetBackups(e.opts.Cluster)
	defer c.jobs.stop()
	if err := mgr.Add(c.jobs); err != nil {
		return err
	}
	for _, setUp := range []func(manager.Manager, *core) error{setUpRepositories, setUpBackups, setUpRuns, setUpRestores} {
		if err := setUp(mgr, c); err != nil {
			return err
		}
	}
	if err := mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		e.log.Info("Executing backups", "identity", e.identity)
		recordLeading(e.opts.Cluster, true)
		<-ctx.Done()
		recordLeading(e.opts.Cluster, false)
		return nil
	})); err != nil {
		return err
	}
	err = mgr.Start(ctx)
	if lost := term.fence.Err(); lost != nil {
		return lost
	}
	return err
}
