package fleetapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/pkg/turns"
)

const (
	// pageSize is how many objects a member is asked for at a time, beginningSize how many
	// of each one whose turn comes later.
	pageSize      = 500
	beginningSize = 100
	// mostAhead is how much of the beginnings of all members together is kept until it is
	// their turn, leastAhead how much of each in any case. What has more is asked again then.
	mostAhead  = 8 << 20
	leastAhead = 16 << 10
	// leastOfItem is what keeping one takes beside its text.
	leastOfItem = 64
	// mostOfPage is how much of the first member's page is kept until the others have
	// answered; the rest is read then.
	mostOfPage = 2 << 20
)

// page is one of a member's list: items that have been read, and the rest on its way.
type page struct {
	*union.List
	reply *reply
	limit int // that it was asked with; 0: none
	kept  [][]byte
	size  int  // of what is kept
	read  int  // how many objects have been read, which are of length
	of    int  // so long together
	whole bool // kept are all
	large bool // one object that is longer than was to be read of it: nothing is kept
}

// next is the next object.
func (p *page) next() ([]byte, error) {
	item, err := p.Next()
	if err == nil {
		p.read++
		p.of += len(item) + leastOfItem
	}
	return item, err
}

// mean is what keeping an object takes, of those that have been read.
func (p *page) mean() int { return p.of/max(p.read, 1) + 1 }

// most is how many objects it has at most, if its member keeps to what it was asked.
func (p *page) most() int {
	if p.whole {
		return len(p.kept)
	}
	return p.limit
}

func (p *page) close() { p.reply.Close() }

// mostEmpty is how many pages without an object may come one after the other.
const mostEmpty = 100

// trail follows the tokens of a member's pages.
type trail struct {
	token string
	empty int
}

// endless takes the token of a page and how many objects it had. True: it leads nowhere.
func (t *trail) endless(token string, objects int) bool {
	if t.empty++; objects > 0 {
		t.empty = 0
	}
	again := token != "" && (token == t.token || t.empty > mostEmpty)
	t.token = token
	return again
}

// keep reads items until all are there, or as much as may be kept.
func (p *page) keep(most int) *refusal {
	for p.size <= most && !p.whole {
		item, err := p.next()
		switch {
		case errors.Is(err, io.EOF):
			p.whole = true
			p.close()
			return nil
		case err != nil:
			defer p.close()
			return p.reply.failed(err)
		}
		p.kept = append(p.kept, slices.Clone(item))
		p.size += len(item) + leastOfItem
	}
	if !p.whole {
		p.reply.pause()
	}
	return nil
}

// each calls take with all items. refused: what the member says cannot be read; err is
// that of take. Neither: those were all.
func (p *page) each(take func([]byte) error) (refused *refusal, err error) {
	defer p.close()
	for _, item := range p.kept {
		if err := take(item); err != nil {
			return nil, err
		}
	}
	p.kept = nil
	for !p.whole {
		p.reply.resume()
		item, err := p.next()
		p.reply.pause()
		if errors.Is(err, io.EOF) {
			return nil, nil //nolint:nilnil // documented: nobody has failed
		} else if err != nil {
			return p.reply.failed(err), nil
		}
		if err := take(item); err != nil {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // documented: nobody has failed
}

// open asks a member for a page.
func (e *everywhere) open(ctx context.Context, cluster string, query url.Values) (*page, *refusal) {
	return e.openUpTo(ctx, cluster, query, union.MostOfValue)
}

// openUpTo reads no more of one object than that. Of a list nothing is read yet.
func (e *everywhere) openUpTo(ctx context.Context, cluster string, query url.Values, most int) (*page, *refusal) {
	if e.target.name != "" {
		return e.openObject(ctx, cluster, query, min(most, union.MostOfValue))
	}
	r, refused := e.ask(ctx, cluster, e.path, e.form.List(), query)
	if refused != nil {
		return nil, refused
	}
	limit, _ := strconv.Atoi(query.Get("limit"))
	return &page{List: union.NewList(r, e.form), reply: r, limit: limit}, nil
}

// openObject asks a member for one object, which is a list of one, or of none.
func (e *everywhere) openObject(ctx context.Context, cluster string, query url.Values, most int) (*page, *refusal) {
	query.Del("limit")
	r, refused := e.ask(ctx, cluster, e.path, e.form.Object(), query)
	switch {
	case refused != nil && refused.Reason == union.NotServed && refused.status.Details != nil && refused.status.Details.Name == e.target.name:
		e.notFound.Store(refused)
		return &page{List: &union.List{}, reply: over(cluster), whole: true}, nil
	case refused != nil:
		return nil, refused
	case e.form.As == union.Table:
		return &page{List: union.NewList(r, e.form), reply: r}, nil
	}
	defer r.Close()
	object, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	switch object = bytes.TrimSpace(object); {
	case err != nil:
		return nil, r.failed(err)
	case len(object) > most && most < union.MostOfValue:
		return &page{List: &union.List{}, reply: r, large: true}, nil
	case len(object) > most || !json.Valid(object):
		return nil, r.failed(errors.New("what it says is no object"))
	}
	head := union.ListHead(object)
	return &page{List: &union.List{Head: head}, reply: r, kept: [][]byte{object}, size: len(object), whole: true}, nil
}

// over is a reply of which nothing comes any more.
func over(cluster string) *reply {
	r := &reply{cluster: cluster, body: io.NopCloser(nil), end: func() {}}
	r.timer = stopped()
	return r
}

// query is what a member is asked for: limit 0 is everything.
func (e *everywhere) query(limit int, token string) url.Values {
	query := maps.Clone(e.ForMembers)
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	if token != "" {
		query.Set("continue", token)
	}
	return query
}

// exact asks for the objects as they were at a version; a member that says none is asked for
// them as they are.
func exact(query url.Values, version string) url.Values {
	if version != "" && query.Get("continue") == "" {
		query.Set("resourceVersion", version)
		query.Set("resourceVersionMatch", "Exact")
	}
	return query
}

// beginning is the first page of a member, which is asked for before it is its turn.
type beginning struct {
	done    chan struct{}
	page    *page
	head    union.Head
	mean    int // of its objects
	refused *refusal
	again   bool // more than is kept: to be asked once more, at the version of the head
	told    bool // that it is missing
}

// begin asks for it. Whatever is kept of it is kept within the member's time. hold: it is kept,
// or on its way, until it is written.
func (e *everywhere) begin(ctx context.Context, all *turns.Turns, cluster string, query url.Values, most int, hold bool) *beginning {
	b := &beginning{done: make(chan struct{})}
	go func() {
		defer close(b.done)
		leave, err := all.Take(ctx)
		if err != nil { // waiting for others is not the member's time
			b.refused = &refusal{Missing: union.Missing{Cluster: cluster, Reason: union.TimedOut, Message: "the time for all clusters is over, and it has not been asked"}}
			return
		}
		defer leave()
		atOnce := most
		if hold {
			atOnce = union.MostOfValue
		}
		if b.page, b.refused = e.openUpTo(ctx, cluster, query, atOnce); b.refused != nil {
			return
		}
		if b.page.large {
			b.page, b.again = nil, true
			return
		}
		b.refused = b.page.keep(most)
		b.head, b.mean = b.page.Head, b.page.mean()
		if b.refused != nil || hold || b.page.whole && b.page.size <= most {
			return
		}
		b.page.close()
		whole := b.page.whole
		b.page, b.again = nil, true
		if !whole {
			b.head, b.refused = e.peek(ctx, cluster, query)
		}
	}()
	return b
}

// peek reads the head of a list, with as little as a member can be asked for.
func (e *everywhere) peek(ctx context.Context, cluster string, query url.Values) (union.Head, *refusal) {
	query = maps.Clone(query)
	query.Set("limit", "1")
	p, refused := e.open(ctx, cluster, query)
	if refused != nil {
		return union.Head{}, refused
	}
	refused, _ = p.each(func([]byte) error { return nil }) // there is none
	return p.Head, refused
}

func errorOf(cluster string, err error) *refusal {
	return &refusal{Missing: union.Missing{Cluster: cluster, Reason: union.Invalid, Message: fmt.Sprint(err)}}
}
