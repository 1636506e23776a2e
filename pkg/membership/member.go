package membership

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/multicluster-runtime/pkg/multicluster"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// minPause is the shortest time between two probes, however often its objects
// change.
const minPause = 250 * time.Millisecond

// A member is one KubeFedCluster with its goroutine (run). All fields after the
// first group belong to that goroutine alone.
type member struct {
	name string
	uid  types.UID
	// kick asks for a probe now; it holds one.
	kick chan struct{}
	stop context.CancelFunc
	p    *Provider
	log  logr.Logger

	// Guarded by Provider.mu.
	info    Info
	object  *fedcorev1beta1.KubeFedCluster // as last seen; never modified
	cluster cluster.Cluster
	facts   Facts    // written by run alone
	found   identity // what answered at the member's address last
	holds   bool     // it is engaged, or about to be

	health    health
	current   *connection // engaged
	candidate *connection // not yet proved to work
	// warned is the problem that an event has been sent for.
	warned string
	// malformed says what is wrong with the configuration, if anything.
	malformed string

	inventories  chan inventoryResult
	inventorying bool
	inventoryDue time.Time

	renewal renewal

	reporter reporter
}

type inventoryResult struct {
	connection *connection
	version    string
	inventory  *Nodes
	err        error
}

func newMember(p *Provider, kfc *fedcorev1beta1.KubeFedCluster) *member {
	log := p.log.WithValues("cluster", kfc.Name)
	m := &member{
		name: kfc.Name, uid: kfc.UID, p: p, log: log, object: kfc,
		kick:        make(chan struct{}, 1),
		inventories: make(chan inventoryResult, 1),
		renewal:     newRenewal(),
		reporter:    reporter{provider: p, log: log},
		facts:       Facts{KubernetesVersion: kfc.Status.KubernetesVersion}, // as it was known last
	}
	reason, message := reasonOf(m.health)
	m.info = Info{
		Name: kfc.Name, UID: kfc.UID, Joined: kfc.CreationTimestamp.Time, Prune: reach.PruneTime(kfc), NamespaceRights: reach.NamespaceRights(kfc), AwaitsJoin: reach.AwaitsJoin(kfc),
		RightsRenewed: kfc.Annotations[reach.RightsRenewedAnnotation],
		Labels:        kfc.Labels, Reason: reason, Message: message,
	}
	return m
}

// wake asks for a probe soon. It never blocks.
func (m *member) wake() {
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// run drives the member until ctx ends.
func (m *member) run(ctx context.Context) {
	defer m.disconnect()
	select {
	case <-ctx.Done():
		return
	case <-m.p.started:
	}
	for {
		began := time.Now()
		m.tick(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(minPause - time.Since(began)):
		}
		if !m.wait(ctx, time.NewTimer(m.untilNext(began))) {
			return
		}
	}
}

// untilNext spreads the probes of many members over the period.
func (m *member) untilNext(began time.Time) time.Duration {
	jitter := 0.95 + 0.1*rand.Float64() //nolint:gosec // not a secret
	return time.Duration(float64(m.p.opts.HealthCheckPeriod)*jitter) - time.Since(began)
}

// wait returns when it is time to probe, and takes in what arrives meanwhile; it
// is false when ctx has ended.
func (m *member) wait(ctx context.Context, timer *time.Timer) bool {
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-m.kick:
			return true
		case result := <-m.inventories:
			m.takeInventory(ctx, result)
		case result := <-m.renewal.results:
			m.renewal.take(result, time.Now())
		}
	}
}

// tick probes once and tells everybody what came of it.
func (m *member) tick(ctx context.Context) {
	object := m.p.objectOf(m)
	if object == nil {
		return
	}
	before := m.health
	observed := m.renewal.judge(m.observe(ctx, object), m.tokenInUse(), m.name, time.Now())
	if ctx.Err() != nil {
		return // what failed, failed because we are leaving
	}
	if observed.Verdict == undecided {
		m.wake()
		return
	}
	m.health = m.health.observe(observed, thresholds{Failure: m.p.opts.FailureThreshold, Success: m.p.opts.SuccessThreshold})
	m.publish()
	if barred(observed.Verdict) {
		m.disengage() // once nobody takes it for ready
	}
	m.announce(object, before)
	m.report(ctx)
	if m.health.Ready && m.current != nil {
		if !before.Ready {
			m.inventoryDue = time.Time{}
		}
		m.startInventory(ctx)
		m.startRenewal(ctx, object)
	}
}

// observe finds the connection to use and probes it. New credentials replace old
// ones only once they have worked; until then the old ones are kept going.
func (m *member) observe(ctx context.Context, object *fedcorev1beta1.KubeFedCluster) reach.Observation {
	m.malformed = ""
	secret, secretName := m.p.secretOf(ctx, object), object.Namespace+"/"+object.Spec.SecretRef.Name
	if observed, own := m.checkSecret(object, secret); !own {
		m.dropCandidate("")
		return observed
	}
	wanted, err := m.p.opts.Plugins.AccessOf(object, secret)
	if err != nil {
		m.dropCandidate("")
		m.malformed = err.Error()
		return m.fallBack(ctx, object, reach.Observation{Verdict: reach.Malformed, Detail: m.malformed})
	}
	fingerprint := wanted.Fingerprint()
	if m.current != nil && m.current.fingerprint == fingerprint {
		m.dropCandidate("")
		return m.examine(m.current, object, m.current.probe(ctx))
	}
	m.dropCandidate(fingerprint)
	if m.candidate == nil {
		candidate, err := newConnection(wanted, secretName, m.p.opts, m.log)
		if err != nil {
			m.malformed = err.Error()
			return m.fallBack(ctx, object, reach.Observation{Verdict: reach.Malformed, Detail: m.malformed})
		}
		m.candidate = candidate
		m.p.forgetFound(m)
	}
	observed := m.examine(m.candidate, object, m.candidate.probe(ctx))
	switch {
	case observed.Verdict == undecided, barred(observed.Verdict):
		return observed
	case observed.Verdict != reach.Ready:
		return m.fallBack(ctx, object, observed)
	}
	return m.promote(ctx, object)
}

// fallBack probes the connection there was before, if any, when the one that is
// asked for does not work for the reason in failed.
func (m *member) fallBack(ctx context.Context, object *fedcorev1beta1.KubeFedCluster, failed reach.Observation) reach.Observation {
	if m.current == nil {
		return failed
	}
	observed := m.examine(m.current, object, m.current.probe(ctx))
	if barred(observed.Verdict) {
		return observed
	} else if observed.Verdict != reach.Ready {
		return failed
	}
	observed.Problem = "the connection is kept up with earlier credentials, because the present ones do not work: " + failed.Detail
	return observed
}

// promote makes the candidate, which has answered, the member's connection.
func (m *member) promote(ctx context.Context, object *fedcorev1beta1.KubeFedCluster) reach.Observation {
	next, previous := m.candidate, m.current
	m.candidate = nil
	if previous != nil && previous.takesOver(next) {
		previous.takeToken(next)
		m.warned = ""
		m.log.Info("Token replaced", "expires", previous.claims.Expires)
		return reach.Observation{Verdict: reach.Ready}
	}
	m.p.setHost(m, m.p.isHost(next, object))
	engaged, err := next.open(ctx, m.p.indexesSnapshot())
	if err == nil {
		m.p.setCluster(m, next.cluster)
		err = m.p.aware.Engage(engaged, multicluster.ClusterName(m.name), next.cluster)
	}
	if err != nil {
		// A cache that has been stopped cannot be started again: the next probe
		// begins with a new connection.
		next.close()
		m.log.Error(err, "Could not engage the member; will retry")
		if previous == nil {
			m.p.setCluster(m, nil)
			return reach.Observation{Verdict: reach.NotReady, Detail: "the controller could not begin to use it: " + reach.Innermost(err)}
		}
		m.p.setCluster(m, previous.cluster)
		return reach.Observation{Verdict: reach.Ready, Problem: "the controller could not begin to use its new credentials: " + reach.Innermost(err)}
	}
	m.current, m.warned = next, ""
	m.p.learn(m, func(f *Facts) { f.KubernetesVersion = next.version })
	if previous != nil {
		previous.close()
		m.log.Info("Credentials or endpoint replaced")
	}
	return reach.Observation{Verdict: reach.Ready}
}

// dropCandidate forgets a candidate unless it is the one wanted.
func (m *member) dropCandidate(wanted string) {
	if m.candidate != nil && m.candidate.fingerprint != wanted {
		m.candidate.close()
		m.candidate = nil
	}
}

func (m *member) disconnect() {
	m.dropCandidate("")
	if m.current != nil {
		m.current.close()
	}
}

// startInventory looks at the member's nodes when it is time, beside the probes:
// a large or slow answer does not delay them.
func (m *member) startInventory(ctx context.Context) {
	if m.inventorying || time.Now().Before(m.inventoryDue) {
		return
	}
	m.inventorying = true
	connection := m.current
	go func() {
		ctx, cancel := context.WithTimeout(ctx, m.p.opts.RequestTimeout)
		defer cancel()
		result := inventoryResult{connection: connection}
		result.version, _ = connection.prober.Version(ctx) // an unknown version leaves the last one
		result.inventory, result.err = listInventory(ctx, connection.cluster.GetAPIReader())
		m.inventories <- result // holds one, and one at a time is under way
	}()
}

func (m *member) takeInventory(ctx context.Context, result inventoryResult) {
	m.inventorying = false
	m.inventoryDue = time.Now().Add(inventoryPeriod)
	if result.connection != m.current {
		m.inventoryDue = time.Time{}
		return
	}
	if result.err != nil {
		m.log.V(1).Info("Could not list the member's nodes", "error", errtext.Stable(result.err))
	}
	m.p.learn(m, func(f *Facts) {
		if result.version != "" {
			f.KubernetesVersion = result.version
		}
		if result.err == nil {
			f.Nodes = result.inventory
		}
	})
	m.report(ctx)
}

// publish makes the health visible to those who ask the provider.
func (m *member) publish() {
	reason, message := reasonOf(m.health)
	m.p.update(m, func(info *Info) {
		info.Probed, info.Ready, info.Reason, info.Message = m.health.Known, m.health.Ready, reason, message
	})
}

// announce sends events about what has changed.
func (m *member) announce(object *fedcorev1beta1.KubeFedCluster, before health) {
	recordHealth(m.name, m.health)
	newlyBarred := barred(m.health.Why.Verdict) && before.Why.Verdict != m.health.Why.Verdict
	if before.Ready != m.health.Ready || !before.Known || newlyBarred {
		reason, message := reasonOf(m.health)
		kind := corev1.EventTypeNormal
		if !m.health.Ready {
			kind = corev1.EventTypeWarning
		}
		m.log.Info("Member health changed", "ready", m.health.Ready, "reason", reason, "message", message)
		m.p.event(object, kind, reason, message)
		return
	}
	if problem := m.health.Why.Problem; problem != "" && problem != m.warned {
		m.log.Info("Member is ready, but not as its KubeFedCluster says", "problem", problem)
		reason := "EarlierConnectionKept"
		switch {
		case m.health.Why.Refusing:
			reason = "AnswerRefused"
		case m.health.Why.Ending:
			reason = "TokenNotRenewed"
		}
		m.p.event(object, corev1.EventTypeWarning, reason, problem)
		m.warned = problem
	}
}

// report writes what has changed to the KubeFedCluster.
func (m *member) report(ctx context.Context) {
	uid, token := "", m.tokenInUse()
	if m.current != nil {
		uid = m.current.uid
	}
	recordExpiry(m.name, token)
	m.reporter.report(ctx, m.p.objectOf(m), m.health, m.facts, m.malformed, uid, token.Expires)
}
