package propagation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	mccontroller "sigs.k8s.io/multicluster-runtime/pkg/controller"
	mcmanager "sigs.k8s.io/multicluster-runtime/pkg/manager"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/eventnote"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/settings"
)

// Options configure the engine.
type Options struct {
	settings.Propagation
	// KubeFedNamespace is the host namespace of the control plane; it is never federated.
	KubeFedNamespace string
	// TargetNamespace limits the engine to one namespace (a Namespaced control plane); empty: all.
	TargetNamespace string
	// RequestTimeout bounds a request that is not a watch.
	RequestTimeout time.Duration
	// Rollups add up what the members say of the objects of a target, where their
	// status is collected.
	Rollups map[schema.GroupKind]federate.Rollup
	// OnAutoscaling is told of a federated object of a type where the replicas have become a
	// cluster's, or no longer are; nil: nobody is.
	OnAutoscaling func(typeName string, key types.NamespacedName)
	// Scheduled says whether a ReplicaSchedulingPreference shares out the replicas of a federated
	// object of a type: where an autoscaler has gone, they are its own again. nil: none does.
	Scheduled func(typeName string, key types.NamespacedName) bool
	// ReportLeftovers is given who knows what is kept in each cluster that nobody has
	// selected; nil: nobody is told.
	ReportLeftovers func(in func(cluster string) membership.Leftovers)
	// Tracer makes spans of how changes get to the members; nil: there are none.
	Tracer trace.Tracer
}

const (
	// statusInterval is how often at most collected status is written for an object, and
	// detailInterval, how often where nothing but the words change that say how it fares: a
	// rollout has others with every pod.
	statusInterval = time.Second
	detailInterval = 30 * time.Second
	// retryInitial is the time before the first try again of an item that fails.
	retryInitial = 250 * time.Millisecond
)

// Engine propagates the federated objects of all registered types. It
// implements typeconfig.Registrar, and multicluster-runtime's Runnable: the
// manager engages member clusters with it. It puts the parts together that do the
// work, and decides nothing itself.
type Engine struct {
	opts    Options
	log     logr.Logger
	types   *typeSet
	work    *worklist
	host    *hostClient
	members *memberSet
	// kinds say what workloads look like.
	kinds *kindTable
	// workloadKinds say more of them.
	workloadKinds *kindStore
	triggers      *triggers
	// autoscalers are those of the members.
	autoscalers *autoscalers
	rights      *rights
	bindings    *bindings
	// namespaces are the FederatedNamespaces, whose placement bounds that of what is in them.
	namespaces *namespaceStore
	// policies change what members get.
	policies      *policyStore
	hostWorker    *hostWorker
	memberWorker  *memberWorker
	statusObjects *statusObjectWriter
	// records are KubeFed's, if they are written; nil otherwise.
	records *recordWriter
	// leftovers are what is kept in members that nobody has selected.
	leftovers *leftovers

	starting chan struct{}   // closed when ctx is set
	ctx      context.Context //nolint:containedctx // the life of the leader: types come and go within it
}

// New returns an engine and adds it, with its controller, to the manager.
func New(mgr mcmanager.Manager, inventory fleet.Inventory, opts Options) (*Engine, error) {
	if opts.KubeFedNamespace == "" || opts.RequestTimeout <= 0 {
		return nil, errors.New("propagation: the KubeFed namespace or the time-out of requests is not set")
	}
	if err := opts.Validate(); err != nil {
		return nil, fmt.Errorf("propagation: %w", err)
	}
	local := mgr.GetLocalManager()
	log := mgr.GetLogger().WithName("propagation")
	host, err := newHostClient(local, opts, log)
	if err != nil {
		return nil, err
	}
	e := newEngine(opts, log, inventory, host, &eventSender{recorder: eventnote.NewRecorder(local, "fedctl"), namespace: opts.KubeFedNamespace})
	inventory.Subscribe(e.policies.clusterChanged)
	inventory.SubscribeFacts(e.policies.versionChanged)
	inventory.Subscribe(e.triggers.clusterChanged)
	inventory.Subscribe(e.bindings.clusterChanged)
	if opts.ReportLeftovers != nil {
		opts.ReportLeftovers(e.leftovers.in)
	}
	if err := e.addController(mgr); err != nil {
		return nil, err
	}
	if err := mgr.Add(e); err != nil {
		return nil, fmt.Errorf("propagation engine: %w", err)
	}
	return e, nil
}

// newEngine puts the parts of an engine together.
func newEngine(opts Options, log logr.Logger, inventory fleet.Inventory, host *hostClient, sender *eventSender) *Engine {
	e := &Engine{opts: opts, log: log, types: newTypeSet(), work: newWorklist(opts), host: host, leftovers: newLeftovers(), starting: make(chan struct{}), kinds: newKindTable()}
	recorded := opts.VersionRecords == settings.RecordPropagatedVersion
	e.triggers = &triggers{
		log: log, types: e.types, work: e.work, inventory: inventory, interval: statusInterval, recordsVersions: recorded,
	}
	e.members = newMemberSet(e.triggers, e.kinds, opts.TargetNamespace, log)
	e.triggers.members = e.members
	e.autoscalers = newAutoscalers(e.triggers.autoscalersChanged, e.triggers.autoscalersKnown, opts.TargetNamespace, log)
	e.triggers.autoscalers = e.autoscalers
	e.rights = &rights{members: e.members, inventory: inventory}
	e.triggers.rightsChanged = e.rights.changed
	e.namespaces = &namespaceStore{host: host}
	e.bindings = &bindings{
		log: log, inventory: inventory, namespaces: e.namespaces, members: e.members, types: e.types, timeout: opts.RequestTimeout,
		onBound: e.triggers.namespaceUsable, binders: map[string]*binder{},
	}
	e.triggers.namespaceThere = e.bindings.look
	e.namespaces.onChange = func(namespace string) {
		e.triggers.namespaceChanged(namespace)
		e.bindings.changed()
	}
	e.namespaces.onSynced = func() {
		e.triggers.reconsiderAll()
		e.bindings.changed()
	}
	e.policies = newPolicyStore(host, inventory, opts)
	e.policies.onPolicy, e.policies.onFacts, e.policies.onSynced = e.triggers.policyChanged, e.triggers.factsChanged, e.triggers.reconsiderAll
	e.triggers.selected, e.triggers.lookAtPolicies = e.policies.selected, e.policies.lookAtStatuses

	e.workloadKinds = newKindStore(host, e.kinds, opts)
	e.workloadKinds.onChange, e.workloadKinds.onSynced = e.kindsChanged, e.triggers.reconsiderAll

	times := &ledger.Settings{
		SettleTimeout: opts.SettleTimeout, RequestTimeout: opts.RequestTimeout, UnreadyDeletionTimeout: opts.UnreadyDeletionTimeout,
		LeftoverRetention: opts.LeftoverRetention,
	}
	look := &lookout{inventory: inventory, members: e.members, bindings: e.bindings}
	place := &placer{inventory: inventory, namespaces: e.namespaces, policies: e.policies, kinds: e.workloadKinds, kubeFedNamespace: opts.KubeFedNamespace, limited: opts.TargetNamespace != ""}
	metrics := newMetrics(e.work, e.types, e.members, e.leftovers)
	traces := newTracing(opts.Tracer)
	e.statusObjects = &statusObjectWriter{host: host, lookout: look, work: e.work, events: sender}
	if recorded {
		e.records = newRecordWriter(host, look, e.types, e.work)
	}
	e.hostWorker = &hostWorker{
		settings: times, now: time.Now, work: e.work, placer: place, lookout: look, host: host,
		status:        &statusWriter{now: time.Now, work: e.work, lookout: look, host: host, events: sender, metrics: metrics, rollups: opts.Rollups, onScaling: opts.OnAutoscaling, tracing: traces},
		statusObjects: e.statusObjects, records: e.records, leftovers: e.leftovers, tracing: traces,
		lookAtPolicies: e.policies.lookAtStatuses,
		scaling:        &scalingDecider{autoscalers: e.autoscalers, lookout: look, placer: place, scheduled: opts.Scheduled},
	}
	e.memberWorker = &memberWorker{
		now: time.Now, log: log, work: e.work, placer: place, lookout: look, metrics: metrics, tracing: traces, events: sender, autoscalers: e.autoscalers,
		adopt: opts.AdoptResources, protected: opts.ProtectedKeys,
	}
	return e
}

// addController runs the items through multicluster-runtime's controller: its
// workers, panic recovery and metrics, on our fair queue.
func (e *Engine) addController(mgr mcmanager.Manager) error {
	_, err := mccontroller.NewTyped("propagation", mgr, controller.TypedOptions[Item]{
		Reconciler:              reconcile.TypedFunc[Item](e.Reconcile),
		MaxConcurrentReconciles: e.opts.Workers,
		RecoverPanic:            ptr.To(true),
		NeedLeaderElection:      ptr.To(true),
		UsePriorityQueue:        ptr.To(false),
		NewQueue: func(string, workqueue.TypedRateLimiter[Item]) workqueue.TypedRateLimitingInterface[Item] {
			return e.work.queue
		},
		LogConstructor: func(item *Item) logr.Logger {
			if item == nil {
				return e.log
			}
			return e.log.WithValues("type", item.Type, "object", item.Object.String(), "cluster", item.ClusterName.String())
		},
	})
	if err != nil {
		return fmt.Errorf("propagation controller: %w", err)
	}
	return nil
}

// Start implements manager.Runnable: types may run from now on until ctx ends.
func (e *Engine) Start(ctx context.Context) error {
	e.ctx = ctx
	e.workloadKinds.follow(ctx)
	e.policies.follow(ctx)
	close(e.starting)
	go e.policies.report(ctx, e.types, e.hostWorker.placer.intent)
	go e.forgetAutoscalers(ctx)
	e.records.follow(ctx)
	<-ctx.Done()
	return nil
}

// forgetAutoscalers has those forgotten that no object needs any more, until ctx ends.
func (e *Engine) forgetAutoscalers(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(unneededInterval):
		}
		for _, t := range e.hostWorker.scaling.forgetUnneeded(e.types.all()) {
			e.work.decideAll(t) // what was said of autoscalers is said no longer
		}
	}
}

// kindsChanged is called when something else is known of what the objects of kinds look like:
// they are read and rendered anew.
func (e *Engine) kindsChanged(changed []schema.GroupKind) {
	e.policies.factsChanged()
	for _, t := range e.types.all() {
		if slices.Contains(changed, t.Target.GVK.GroupKind()) {
			e.members.Renew(t.Name)
			e.work.decideAll(t)
		}
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (e *Engine) NeedLeaderElection() bool { return true }

// Engage implements multicluster.Aware: the watches on a member start, in the
// background, and end with ctx.
func (e *Engine) Engage(ctx context.Context, name multicluster.ClusterName, cl cluster.Cluster) error {
	client, err := newMemberClient(cl, e.opts.RequestTimeout)
	if err != nil {
		return fmt.Errorf("cluster %q: %w", name, err)
	}
	client.applier.Served().OnReturn(func() { e.triggers.versionReturned(name.String()) })
	go client.applier.FollowSchemas(ctx, func(gvr schema.GroupVersionResource) { e.triggers.schemaChanged(name.String(), gvr.GroupResource()) })
	e.members.Engage(ctx, name.String(), client)
	e.autoscalers.engage(ctx, name.String(), client)
	e.bindings.engage(ctx, name.String(), client)
	return nil
}

// Reconcile works on one item. Failures are recorded in the object's status and
// tried again later; it returns an error only for what no status can tell.
func (e *Engine) Reconcile(ctx context.Context, item Item) (reconcile.Result, error) {
	t := e.types.begin(item.Type)
	if t == nil {
		e.work.backoff.Forget(item)
		return reconcile.Result{}, nil // switched off meanwhile
	}
	defer t.working.Done()
	if item.ClusterName == "" {
		return e.hostWorker.decide(ctx, t, item)
	}
	return e.memberWorker.carryOut(ctx, t, item)
}
