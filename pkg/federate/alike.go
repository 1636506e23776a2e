package federate

import (
	"encoding/binary"
	"sync"
)

// alike is what a Renderer has made for clusters that layers treat alike, by their likeness:
// a number for each layer. It goes with the Renderer, which lives no longer than something
// of its object is written.
type alike struct {
	mu       sync.Mutex
	finished map[string]Rendered
	// unfinished is what the first layers have made, by the numbers of these.
	unfinished map[string]unfinished
}

// unfinished is an object on its way through the layers.
type unfinished struct {
	tree map[string]any
	// last is where the last change is written; empty if there is none.
	last  string
	notes []Note
}

func (a *alike) find(likeness []byte) (Rendered, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	rendered, found := a.finished[string(likeness)]
	return rendered, found
}

func (a *alike) keep(likeness []byte, rendered Rendered) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.finished == nil {
		a.finished = map[string]Rendered{}
	}
	a.finished[string(likeness)] = rendered
}

func (a *alike) begun(likeness []byte) (unfinished, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	made, found := a.unfinished[string(likeness)]
	return made, found
}

func (a *alike) begin(likeness []byte, made unfinished) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unfinished == nil {
		a.unfinished = map[string]unfinished{}
	}
	a.unfinished[string(likeness)] = made
}

// appendLikeness appends what is the same for clusters that all layers treat alike. shared
// is false for a cluster that is like no other, and where there is nothing but overrides.
func (r *Renderer) appendLikeness(b []byte, cluster string) (likeness []byte, shared bool) {
	for i := range r.layers {
		l := &r.layers[i]
		if l.Modifier == nil {
			if _, own := l.item[cluster]; own {
				return b, false
			}
			continue
		}
		if b, shared = AppendLikeness(b, l.Modifier, cluster); !shared {
			return b, false
		}
	}
	return b, len(b) > 0
}

// AppendLikeness appends what is the same for clusters that a modifier treats alike. shared is
// false for a cluster that is like no other.
func AppendLikeness(b []byte, m Modifier, cluster string) (likeness []byte, shared bool) {
	like := m.Likeness(cluster)
	if like < 0 {
		return b, false
	}
	return binary.AppendUvarint(b, uint64(like)), true
}

// Made is how many objects were made for clusters that are alike: not one for each cluster.
func (r *Renderer) Made() int {
	r.alike.mu.Lock()
	defer r.alike.mu.Unlock()
	return len(r.alike.finished)
}
