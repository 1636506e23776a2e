package ledger

import (
	"slices"

	"github.com/fedctl/fedctl/pkg/federate"
)

// past is what has become of the objects in a cluster, in its present membership.
type past struct {
	// had are the hashes of what was there, and ended those of what has ended there.
	had, ended map[string]bool
	// done is the hash of what was confirmed, has ended, and was seen to have.
	done string
	// lost says that the watch has told of the deletion of what had not ended, and nothing
	// was made since.
	lost bool
}

// pastOf is that of a cluster in a membership that finds the object; nil: none.
func pastOf(found *thing) past {
	p := past{had: map[string]bool{}, ended: map[string]bool{}}
	if found != nil {
		p.wrote(found.hash, found.ended)
	}
	return p
}

func (p *past) wrote(hash string, ended federate.Ending) {
	p.had[hash], p.lost = true, false
	if ended != "" {
		p.ended[hash] = true // one that had ended holds something else now
	}
	if p.done != hash {
		p.done = ""
	}
}

// forget leaves of the past what another process can know of it.
func (p *past) forget(c *federate.ClusterStatus) {
	p.lost = false
	if c == nil || parseVersion(c.Version).applied != p.done || parseVersion(c.Version).fate != fateSucceeded {
		p.done = ""
	}
}

// saw notes what the watch, or a list, has shown.
func (w *world) saw(m *member, s, last Sighting) {
	e := w.ledger.entries[m.name]
	if !s.Shown {
		s = last
	}
	if e == nil || !s.Shown || !s.Managed || !w.selected[m.name] {
		return
	}
	switch {
	case s.Ended == "":
		m.past.done = ""
	case e.goal == goalApplied && e.applied != "" && m.past.ended[e.applied]:
		m.past.done = e.applied
	}
}

func (w *world) isCompleted(cluster string) bool {
	return slices.ContainsFunc(w.reported, func(o federate.Outcome) bool {
		return o.Cluster == cluster && o.Status == federate.Completed
	})
}

// checkCompleted is asked when a cluster is at rest, holds nothing of ours, and is said to be done.
func (w *world) checkCompleted(m *member) {
	hash := w.hash(m.name)
	switch {
	case w.consumed == federate.NeverConsumed, !m.past.had[hash]:
	case w.consumed == federate.AlwaysConsumed, m.past.ended[hash], w.vanishes && !m.past.lost:
		return
	}
	w.failf("cluster %s: said to be done, and is not: %+v %+v", m.name, m.past, w.ledger.entries[m.name])
}
