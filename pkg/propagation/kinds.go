package propagation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	fedctlv1alpha1 "github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/workload"
)

var kindResource = resourceOf(fedctlv1alpha1.GroupVersion, "WorkloadKind", "workloadkinds", false)

// kindStore keeps the table of kinds as the host's WorkloadKinds say, and their statuses.
type kindStore struct {
	host  *hostClient
	table *kindTable
	// limited says that the control plane is for one namespace, which has no say in what is
	// for all.
	limited bool
	// onChange is told of kinds of which the table says something else now.
	onChange func(changed []schema.GroupKind)
	// onSynced is told when it has become known what the WorkloadKinds say, or that nobody
	// can tell.
	onSynced func()

	objects *fleet.Table[storedKind]
	watch   atomic.Pointer[fleet.Watch[storedKind]]
	// changes holds one when the statuses are to be looked at.
	changes chan struct{}
}

// storedKind is a WorkloadKind as the host holds it.
type storedKind struct {
	uid        types.UID
	generation int64
	status     fedctlv1alpha1.WorkloadKindStatus
	kind       *workload.Kind
	problem    error
}

func newKindStore(host *hostClient, table *kindTable, opts Options) *kindStore {
	s := &kindStore{host: host, table: table, limited: opts.TargetNamespace != "", changes: make(chan struct{}, 1)}
	s.objects = fleet.NewTable(fleet.Rules[storedKind]{
		Read: readKind,
		Same: func(before, after *storedKind) bool {
			return before.uid == after.uid && before.generation == after.generation
		},
		OnChange: func(types.NamespacedName, *storedKind, *storedKind) { s.gather() },
		OnSynced: func() { s.gather(); s.onSynced() },
	})
	return s
}

func readKind(obj metav1.Object) (*storedKind, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return nil, errors.New("a WorkloadKind is no object")
	}
	read := &fedctlv1alpha1.WorkloadKind{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, read); err != nil {
		return nil, err
	}
	stored := &storedKind{uid: u.GetUID(), generation: u.GetGeneration(), status: read.Status}
	stored.kind, stored.problem = workload.Compile(&read.Spec)
	return stored, nil
}

// follow begins to read the WorkloadKinds, and to write their statuses; both end with ctx.
func (s *kindStore) follow(ctx context.Context) {
	if s.limited {
		return
	}
	source := s.host.optional(kindResource, "")
	source.OnTrouble = func() { s.warn(); s.onSynced() }
	s.watch.Store(fleet.Follow(ctx, source, s.objects))
	go s.report(ctx)
}

// gather makes the table of what the WorkloadKinds say, and tells what is new in it.
func (s *kindStore) gather() {
	before, after := s.table.get(), workload.Builtin()
	var kinds []*workload.Kind
	for _, key := range s.objects.Keys("") {
		if stored := s.objects.Get(key); stored != nil {
			kinds = append(kinds, stored.kind)
		}
	}
	after = after.With(kinds...)
	s.table.now.Store(after)
	if changed := after.Differs(before); len(changed) > 0 {
		s.onChange(changed)
	}
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

// informed says whether it is known what the WorkloadKinds say, or why that is not so.
func (s *kindStore) informed() bool {
	return s == nil || s.limited || s.watch.Load().Synced() || s.watch.Load().Problem() != nil
}

// problem says why nothing of an object can be sent without the WorkloadKinds; empty if it can.
// Where we may not read them, as with the rights of an older release, what is known without
// them counts, as it did with that release: a right for custom kinds alone must not stop all
// others. But where policies change objects of such a kind, what they have put into its pods
// must not go because it is not known any more where these are.
func (s *kindStore) problem(of schema.GroupKind, changed func() bool) string {
	if s == nil || s.limited || s.unread() == nil {
		return ""
	}
	if errtext.LacksRight(s.unread()) && (workload.Builtin().Has(of) || !changed()) {
		return ""
	}
	return fmt.Sprintf("the workloadkinds cannot be read, and nothing is sent without them: %s", errtext.Stable(s.unread()))
}

// unread is why the WorkloadKinds have not been read; nil if they have, or if it is too early
// to tell.
func (s *kindStore) unread() error {
	watch := s.watch.Load()
	if watch.Synced() {
		return nil
	}
	return watch.Problem()
}

// warn logs that the WorkloadKinds do not count because we may not read them.
func (s *kindStore) warn() {
	if problem := s.unread(); errtext.LacksRight(problem) {
		s.host.log.Info("WorkloadKinds may not be read, so that they do not count; what no policy changes is propagated without them. \"fedctl install\" gives the rights",
			"error", errtext.Stable(problem))
	}
}

// report keeps the statuses of WorkloadKinds until ctx ends.
func (s *kindStore) report(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.changes:
		case <-time.After(policyStatusPeriod): // what could not be written
		}
		for _, key := range s.objects.Keys("") {
			if stored := s.objects.Get(key); stored != nil {
				s.reportOne(ctx, key.Name, stored)
			}
		}
	}
}

// reportOne writes the status of a WorkloadKind if it says something else than is so.
func (s *kindStore) reportOne(ctx context.Context, name string, stored *storedKind) {
	conditions := slices.Clone(stored.status.Conditions)
	if !meta.SetStatusCondition(&conditions, stored.accepted()) && stored.status.ObservedGeneration == stored.generation {
		return
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": stored.uid}, "status": fedctlv1alpha1.WorkloadKindStatus{
		ObservedGeneration: stored.generation, Conditions: conditions,
	}})
	if err != nil { // plain data
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.host.timeout)
	defer cancel()
	_, err = s.host.resource(kindResource, "").Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: federate.FieldManager}, "status")
	if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
		s.host.log.V(1).Info("Could not write the status of a WorkloadKind; will retry", "workloadKind", name, "error", errtext.Stable(err))
	}
}

// accepted is the condition that says whether a WorkloadKind is carried out as a whole.
func (k *storedKind) accepted() metav1.Condition {
	c := metav1.Condition{
		Type: fedctlv1alpha1.ConditionAccepted, Status: metav1.ConditionTrue, Reason: fedctlv1alpha1.ReasonAccepted, ObservedGeneration: k.generation,
	}
	switch {
	case errors.Is(k.problem, workload.ErrSecret):
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, fedctlv1alpha1.ReasonSecret, k.problem.Error()
	case k.problem != nil:
		c.Status, c.Reason = metav1.ConditionFalse, fedctlv1alpha1.ReasonInvalidHealth
		c.Message = errtext.Bounded(k.problem.Error()+"; the components count, and the health of the objects is Unknown", errtext.Cluster)
	}
	return c
}
