package federate

import (
	"reflect"
	"sync"
)

// pieces are the containers of a Renderer's objects, completed and encoded once: clusters
// share those in which they do not differ, and what is made of one depends on nothing else.
// nil remembers nothing. It goes with the Renderer.
type pieces struct {
	mu sync.Mutex
	by map[uintptr]remembered // where the container is in memory
	// size is what they take, in bytes.
	size int
}

type remembered struct {
	from map[string]any // keeps the place in memory
	text piece
}

// piece is a part of an object that has been encoded.
type piece []byte

// mostPieces is what a Renderer's pieces may take, in bytes, and aroundPiece what each takes
// beside its text, about. Overrides that reach into containers make others for each cluster,
// every time.
const (
	mostPieces  = 128 << 10
	aroundPiece = 512
)

// of returns a container as completed makes it of one, which it does not change: encoded
// where that is remembered.
func (p *pieces) of(from map[string]any, completed func(map[string]any) map[string]any) any {
	if p == nil {
		return completed(from)
	}
	place := reflect.ValueOf(from).Pointer()
	p.mu.Lock()
	defer p.mu.Unlock()
	if made, found := p.by[place]; found {
		return made.text
	}
	whole := completed(from)
	text, err := appendJSON(make([]byte, 0, aroundPiece), whole)
	if err != nil {
		return whole // whoever encodes the object says so
	}
	if size := len(text) + aroundPiece; size <= mostPieces {
		p.keep(place, remembered{from: from, text: text}, size)
	}
	return piece(text)
}

// keep begins anew where there are too many: those that clusters share come back.
func (p *pieces) keep(place uintptr, made remembered, size int) {
	if p.by == nil || p.size+size > mostPieces {
		p.by, p.size = map[uintptr]remembered{}, 0
	}
	p.by[place] = made
	p.size += size
}
