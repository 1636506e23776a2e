package propagation

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// account is what the engine keeps of one federated object: its ledger, with a lock,
// and what else has to be remembered between its items. The fields belong to whoever
// holds mu; no request is made meanwhile.
type account struct {
	mu     sync.Mutex
	ledger *ledger.Ledger
	// renderer is that of the last intent something was rendered of; nil while nothing
	// has to be written.
	renderer   *federate.Renderer
	renderedOf federate.Revision
	// written is the status this process wrote last, to know its echo from the watch.
	written *federate.Status
	// notes are what is said of clusters in which all is well, by name.
	notes map[string]string
	// told are the problems that an event was sent of.
	told string
	// scaling is what autoscalers mean for the object. The host's item alone replaces it, and
	// what follows is its own: the replicas in clusters, of an intent.
	scaling    atomic.Pointer[scaling]
	replicas   map[string]*int64
	replicasOf federate.Revision
	// delivery is how far the last change has come, and change is what is traced of it.
	delivery delivery
	change   *tracedChange
}

func newAccount(fed *federated, settings *ledger.Settings) *account {
	a := &account{ledger: ledger.New(fed.UID, fed.Status, settings)}
	a.scaling.Store(scalingOf(fed.Status))
	return a
}

// keep lets f work on the ledger, under the lock.
func (a *account) keep(f func(l *ledger.Ledger)) {
	a.mu.Lock()
	defer a.mu.Unlock() // also if f panics: nobody else is to wait for ever
	f(a.ledger)
}

// manifest is what a cluster is to hold.
type manifest struct {
	federate.Rendered
	// resource is the type, of the API version of the object.
	resource typeconfig.Resource
}

// rendering is what a ledger is told of it.
func (m *manifest) rendering() ledger.Rendering {
	return ledger.Rendering{Hash: m.Hash, Vanishes: m.Vanishes}
}

// render makes what a cluster is to hold. The caller holds mu.
func (a *account) render(t *runningType, intent federate.Intent, cluster string) (manifest, error) {
	if a.renderer == nil || a.renderedOf != intent.Revision() {
		renderer, err := intent.Renderer(t.RenderTarget())
		if err != nil {
			return manifest{}, err
		}
		a.renderer, a.renderedOf = renderer, intent.Revision()
	}
	rendered, err := a.renderer.For(cluster)
	if err != nil {
		return manifest{}, err
	}
	a.note(cluster, rendered.Notes)
	m := manifest{Rendered: rendered, resource: t.Target}
	m.resource.GVR.Version, m.resource.GVK.Version = rendered.Version, rendered.Version
	return m, nil
}

// note keeps what is to be said of a cluster in which all is well. The caller holds mu.
func (a *account) note(cluster string, notes []string) {
	if len(notes) == 0 {
		delete(a.notes, cluster)
		return
	}
	if a.notes == nil {
		a.notes = map[string]string{}
	}
	const most = 3
	text := strings.Join(notes[:min(len(notes), most)], "; ")
	if rest := len(notes) - most; rest > 0 {
		text += fmt.Sprintf("; and %d more", rest)
	}
	a.notes[cluster] = text
}

// noted adds the notes to the outcomes. The caller holds mu.
func (a *account) noted(outcomes []federate.Outcome) {
	for i := range outcomes {
		if o := &outcomes[i]; o.Status == federate.ClusterPropagationOK && o.Message == "" {
			o.Message = a.notes[o.Cluster]
		}
	}
}

// renderings is render as a ledger asks for it. The caller holds mu.
func (a *account) renderings(t *runningType, intent federate.Intent) ledger.Render {
	return func(cluster string) (ledger.Rendering, error) {
		m, err := a.render(t, intent, cluster)
		return m.rendering(), err
	}
}

// isEcho says whether the status of a federated object is the one we wrote last.
func (a *account) isEcho(fed *federated) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ledger.UID() == fed.UID && a.written != nil && shows(fed.Status, *a.written)
}

// ignored says what of the object is not propagated. The caller holds mu.
func (a *account) ignored() []string {
	if a.renderer == nil {
		return nil
	}
	return a.renderer.Warnings()
}

// setWritten notes the status that was written last, or is about to be.
func (a *account) setWritten(status *federate.Status) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.written = status
}

// left are the clusters whose replicas are theirs. What the ledger is asked about is always an
// object that leaves them: one that does not is another revision.
func (a *account) left() []string { return a.scaling.Load().left }

// owes says whether the status does not tell yet what has become of a revision. One that waits
// for clusters that have not answered says what was so before.
func (a *account) owes(revision federate.Revision) bool {
	if a == nil { // nothing was decided yet
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.delivery.revision != revision || !a.delivery.said
}

// undecided says whether this process has neither decided about the object nor said why it cannot.
func (a *account) undecided() bool {
	if a == nil {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.delivery.revision == "" && !a.delivery.said
}

// reported notes that the status says all that there is to say, and what events have told of.
// It returns how long the last change took, once it is in all clusters.
func (a *account) reported(status *federate.Status, written bool, told string, now time.Time) (took time.Duration, delivered bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ledger.Reported(written)
	a.told = told
	a.renderer = nil // only needed while something is written
	return a.delivery.told(status, now)
}
