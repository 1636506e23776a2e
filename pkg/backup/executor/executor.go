package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/network"
	"github.com/fedctl/fedctl/pkg/settings"
)

// Options configure an Executor. Zero values mean the default named with each field.
type Options struct {
	// Election has the times of the Lease.
	settings.Election
	settings.Backups
	// Config connects to the cluster. Required.
	Config *rest.Config
	// Cluster is the name of the cluster in logs and metrics; empty inside a member.
	Cluster string
	// Namespace limits the executor to what is in one namespace; empty: all.
	Namespace string
	// LeaseNamespace is where the Lease is. Required.
	LeaseNamespace string
	// Shared limits the jobs of several executors together; nil does not.
	Shared Slots
	// ProbePeriod is the time between two looks whether the cluster knows the types of
	// backups (15s).
	ProbePeriod time.Duration
	// MaxSleep is the longest time for which a Backup is not looked at (10m). Timers do
	// not see a clock that is set or a machine that sleeps.
	MaxSleep time.Duration
	// CheckPeriod is the time between two looks at a repository (2m).
	CheckPeriod time.Duration
	// StorageTimeout is how long a repository's storage may take to answer a request;
	// the repository's default by default.
	StorageTimeout time.Duration
	// Allowed limits what BackupRepositories may use of the executor's own; nil does not.
	Allowed *Allowed
	// Network says which addresses BackupRepositories may name.
	Network network.Rules
	// Reporter is told when backups cannot be executed; nil: only logs and metrics are.
	Reporter Reporter
	// Clock that schedules follow; the machine's by default.
	Clock clock.PassiveClock
	// Logger is the parent of the executor's loggers.
	Logger logr.Logger
}

func (o *Options) setDefaults() {
	setDefault(&o.ProbePeriod, 15*time.Second)
	setDefault(&o.MaxSleep, 10*time.Minute)
	setDefault(&o.CheckPeriod, 2*time.Minute)
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Logger.GetSink() == nil {
		o.Logger = logf.Log.WithName("backup")
	}
	if o.Cluster != "" {
		o.Logger = o.Logger.WithValues("cluster", o.Cluster)
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Executor carries out what one cluster's backup objects ask for.
type Executor struct {
	opts Options
	log  logr.Logger
	// identity is what the Lease and the runs of this executor carry.
	identity string
	scheme   *runtime.Scheme
	// told is what was reported last; nil before anything was.
	told **Blocked
}

// New returns an executor, which does nothing before Run.
func New(opts Options) (*Executor, error) {
	if opts.Config == nil || opts.LeaseNamespace == "" {
		return nil, errors.New("backup executor: Config and LeaseNamespace are needed")
	}
	if err := errors.Join(opts.Election.Validate(), opts.Backups.Validate()); err != nil {
		return nil, fmt.Errorf("backup executor: %w", err)
	}
	opts.setDefaults()
	opts.Config = rest.CopyConfig(opts.Config)
	opts.Config.Wrap(answers.Wrap)
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("backup executor: building the scheme: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("backup executor: %w", err)
	}
	return &Executor{opts: opts, log: opts.Logger, identity: host + "_" + string(uuid.NewUUID()), scheme: scheme}, nil
}

// Run executes until ctx ends. What goes wrong with the cluster is logged and tried
// again; there is no error to return.
func (e *Executor) Run(ctx context.Context) {
	defer forgetCluster(e.opts.Cluster)
	backoff := wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.2, Steps: 7, Cap: time.Minute}
	failed := backoff
	for ctx.Err() == nil {
		pause := e.opts.ProbePeriod
		uid, why := e.probe(ctx)
		e.tell(ctx, why)
		if why == nil {
			began := time.Now()
			err := e.leadAndWatch(ctx, uid)
			if ctx.Err() != nil {
				return
			}
			if time.Since(began) > time.Minute {
				failed = backoff
			}
			pause = failed.Step()
			e.log.Info("Executing backups was interrupted; will go on", "in", pause.String(), "error", errText(err))
		}
		sleep(ctx, wait.Jitter(pause, 0.1))
	}
}

// leadAndWatch leads, and tells meanwhile when rights go and come.
func (e *Executor) leadAndWatch(ctx context.Context, uid string) error {
	watching, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.watchRights(watching)
	}()
	defer func() {
		stop()
		<-ended
	}()
	return e.lead(ctx, uid)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func errText(err error) string {
	if err == nil {
		return "the Lease was lost"
	}
	return err.Error()
}

// probe asks whether the cluster knows and allows what the executor needs; it
// returns the cluster's UID, or what is missing.
func (e *Executor) probe(ctx context.Context) (uid string, why *Blocked) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	asking, err := client.New(e.opts.Config, client.Options{Scheme: e.scheme})
	if err != nil {
		return "", unreachable(err)
	}
	if why := e.served(); why != nil {
		return "", why
	}
	missing, err := e.missingRights(ctx, asking)
	switch {
	case apierrors.IsForbidden(err) || apierrors.IsNotFound(err):
		e.log.V(1).Info("The cluster does not tell what is allowed", "error", said(err.Error()))
	case err != nil:
		return "", unreachable(err)
	case len(missing) > 0:
		return "", e.forbidden(missing...)
	}
	system := &metav1.PartialObjectMetadata{}
	system.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	switch err := asking.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, system); {
	case apierrors.IsForbidden(err):
		return "", e.forbidden("get the namespace " + metav1.NamespaceSystem + ", which tells the cluster's identity")
	case err != nil:
		return "", unreachable(err)
	}
	return string(system.UID), nil
}

func unreachable(err error) *Blocked {
	return &Blocked{Reason: blockedUnreachable, Message: said(err.Error())}
}

// served says what is wrong if the cluster does not know the types of backups. It
// asks discovery, which anybody may, before rights play a part.
func (e *Executor) served() *Blocked {
	config := rest.CopyConfig(e.opts.Config)
	config.Timeout = 15 * time.Second
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return unreachable(err)
	}
	switch _, err := client.ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String()); {
	case apierrors.IsNotFound(err):
		return e.notInstalled()
	case err != nil:
		return unreachable(err)
	}
	return nil
}
