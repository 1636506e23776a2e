package executor

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// Reasons why an executor cannot work in a cluster.
const (
	// BlockedForbidden is that rights are missing.
	BlockedForbidden = "Forbidden"
	// BlockedNotInstalled is that the cluster does not know the types of backups.
	BlockedNotInstalled = "NotInstalled"
	// blockedUnreachable is any other failure. Whoever watches the cluster's health tells it.
	blockedUnreachable = "Unreachable"
)

// Blocked is why an executor cannot work in its cluster.
type Blocked struct {
	Reason string
	// Message says what is missing and which command helps.
	Message string
}

// Reporter is told how the executors of clusters stand.
type Reporter interface {
	// Report is called when an executor finds that it can work, with nil, or why it
	// cannot, and whenever that changes; again after an error, which it has logged.
	Report(ctx context.Context, cluster string, why *Blocked) error
}

// tell reports what has changed since it was called last.
func (e *Executor) tell(ctx context.Context, why *Blocked) {
	if ctx.Err() != nil {
		return
	}
	recordBlocked(e.opts.Cluster, why) // each time: an executor before this one forgets late
	if e.told != nil && same(*e.told, why) {
		return
	}
	e.told = &why
	if why != nil {
		e.log.Info("Backups cannot be executed in this cluster", "reason", why.Reason, "why", why.Message)
	}
	if e.opts.Reporter != nil && (why == nil || why.Reason != blockedUnreachable) {
		if err := e.opts.Reporter.Report(ctx, e.opts.Cluster, why); err != nil {
			e.told = nil
		}
	}
}

func same(a, b *Blocked) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// rightsPeriods is how many probes' time passes between two looks at the rights of an
// executor that works: what it may not do any more, it finds out object by object.
const rightsPeriods = 20

// watchRights goes on asking while the executor leads or waits for the Lease; with
// every probe as long as rights are said to be missing, so that it is not said for
// minutes after they have been granted.
func (e *Executor) watchRights(ctx context.Context) {
	for {
		sleep(ctx, e.untilLook())
		if ctx.Err() != nil {
			return
		}
		if _, why := e.probe(ctx); why == nil || why.Reason != blockedUnreachable {
			e.tell(ctx, why)
		}
	}
}

// untilLook is how long after one look at the rights the next one comes.
func (e *Executor) untilLook() time.Duration {
	if e.told != nil && *e.told != nil {
		return e.opts.ProbePeriod
	}
	return rightsPeriods * e.opts.ProbePeriod
}

// forbidden says which rights are missing and what grants them.
func (e *Executor) forbidden(missing ...string) *Blocked {
	const most = 3
	more := ""
	if len(missing) > most {
		more = fmt.Sprintf(" and %d things more", len(missing)-most)
		missing = missing[:most]
	}
	who := "the host's controller"
	if e.opts.Cluster == "" {
		who = "the executor"
	}
	return &Blocked{Reason: BlockedForbidden, Message: fmt.Sprintf(
		"%s may not %s%s; \"fedctl install --member %s --backup-rights save\" (or restore) grants it, and \"--executor\" lets the cluster execute its backups itself",
		who, strings.Join(missing, ", "), more, e.context())}
}

// context is what commands name the cluster by.
func (e *Executor) context() string { return cmp.Or(e.opts.Cluster, "CONTEXT") }

func (e *Executor) notInstalled() *Blocked {
	return &Blocked{Reason: BlockedNotInstalled, Message: fmt.Sprintf(
		"the cluster does not know the types of backup.fedctl.io; \"fedctl install --member %s\" installs them", e.context())}
}

// missingRights asks the cluster what of the executor's own needs it does not allow.
// What saving and restoring need is found out by them.
func (e *Executor) missingRights(ctx context.Context, asking client.Client) ([]string, error) {
	var missing []string
	for _, need := range e.needs() {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &need}}
		if err := asking.Create(ctx, review); err != nil {
			return nil, fmt.Errorf("asking for the executor's rights: %w", err)
		}
		if review.Status.Allowed {
			continue
		}
		what := need.Resource
		if need.Subresource != "" {
			what += "/" + need.Subresource
		}
		if need.Group != "" {
			what += "." + need.Group
		}
		if need.Namespace != "" {
			what += " in " + need.Namespace
		}
		missing = append(missing, need.Verb+" "+what)
	}
	return missing, nil
}

// needs are the executor's rights of doc.go.
func (e *Executor) needs() []authorizationv1.ResourceAttributes {
	group := v1alpha1.GroupVersion.Group
	var list []authorizationv1.ResourceAttributes
	need := func(namespace, group, resource, subresource, name string, verbs ...string) {
		for _, verb := range verbs {
			list = append(list, authorizationv1.ResourceAttributes{
				Namespace: namespace, Group: group, Resource: resource, Subresource: subresource, Name: name, Verb: verb,
			})
		}
	}
	in := e.opts.Namespace
	need(e.opts.LeaseNamespace, "coordination.k8s.io", "leases", "", "", "create")
	need(e.opts.LeaseNamespace, "coordination.k8s.io", "leases", "", v1alpha1.ExecutorLease, "get", "update")
	for _, kind := range []string{"backups", "backupruns", "backuprepositories", "restores"} {
		need(in, group, kind, "", "", "list", "watch")
		need(in, group, kind, "status", "", "update")
	}
	need(in, group, "backups", "", "", "patch")
	need(in, group, "backupruns", "", "", "create", "delete", "patch")
	need(in, "", "secrets", "", "", "get")
	return list
}

// probeTimeout bounds one look at a cluster.
const probeTimeout = 30 * time.Second
