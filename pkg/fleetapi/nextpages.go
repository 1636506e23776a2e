package fleetapi

import (
	"context"
	"net/url"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

const (
	// mostNext is how much of pages that are read before it is their turn is kept for one
	// list, mostNextOfLater how much of it for members that come later: the rest is there for
	// the one that is written, whose next page is the first to be needed. mostNextOfAll is
	// how much is kept for all lists of this process together; those that get none of it read
	// each page in its turn.
	mostNext        = 8 << 20
	mostNextOfLater = 6 << 20
	mostNextOfAll   = 64 << 20
	// mostNextPages is how many pages of one list are asked for, or kept, before their turn.
	mostNextPages = 16
	// leastOfNext is what reading one takes, whatever it has.
	leastOfNext = 64 << 10
)

// nextPages are pages of a list that are asked for before it is their turn: the one that
// follows the page that is written, and of members that come later the one that follows
// their beginning. No more than one of each member is.
//
// What comes of them is nothing but time: a page that has not become what it should is asked
// for again in its turn. They end with the context of the list.
type nextPages struct {
	own, all *room
	pages    map[string]*nextPage // of each cluster
}

func newNextPages(all *room) *nextPages {
	return &nextPages{own: newRoom(mostNext), all: all, pages: map[string]*nextPage{}}
}

// nextPage is one of them.
type nextPage struct {
	of    *nextPages
	token string
	limit int // objects
	room  int // that it has taken
	end   context.CancelFunc
	done  chan struct{}
	// These are known when it is done. Neither: it has more than its room.
	page    *page
	refused *refusal
}

// objectsIn is how many objects of about a size there is room for, at most those wanted. It is 0
// where it would be so few that waiting for them is better.
func objectsIn(room, size, wanted int) int {
	objects := min(wanted, (room-leastOfNext)/roomOf(1, size))
	if objects < min(wanted, beginningSize) {
		return 0
	}
	return objects
}

// roomOf is what so many objects of about a size are given: a quarter more than they take, and a
// quarter of all for the one that is being read.
func roomOf(objects, size int) int { return objects * size * 5 / 3 }

// reserve takes the room for a page of about so many objects; nil if there is none.
func (n *nextPages) reserve(token string, size, wanted, leave int) *nextPage {
	places := mostNextPages
	if leave > 0 {
		places-- // as room is left for the member that is written
	}
	if len(n.pages) >= places {
		return nil
	}
	p := &nextPage{of: n, token: token, done: make(chan struct{})}
	if p.limit = objectsIn(n.own.free()-leave, size, wanted); p.limit <= 0 {
		return nil
	}
	bytes := leastOfNext + roomOf(p.limit, size)
	if !n.own.take(bytes) {
		return nil
	}
	if !n.all.take(bytes) {
		n.own.give(bytes)
		return nil
	}
	p.room = bytes
	return p
}

// keepOnly gives back what is not needed.
func (p *nextPage) keepOnly(bytes int) {
	if bytes >= p.room {
		return
	}
	p.of.own.give(p.room - bytes)
	p.of.all.give(p.room - bytes)
	p.room = bytes
}

// read reads the page, whole or not at all. As in its turn, its member has its time for each
// object.
func (p *nextPage) read(ctx context.Context, e *everywhere, cluster string, query url.Values) {
	defer close(p.done)
	defer p.end()
	read, refused := e.openUpTo(ctx, cluster, query, union.MostOfValue)
	if refused == nil {
		read.AtMost(p.room / 4)
		for refused == nil && !read.whole && read.size <= p.room/4*3 {
			read.reply.resume()
			refused = read.keep(read.size) // one more
		}
	}
	switch {
	case refused != nil:
		p.refused = refused
		p.keepOnly(0)
	case !read.whole:
		read.close()
		p.keepOnly(0)
	default:
		p.page = read
		p.keepOnly(read.size)
	}
}

// take waits for the page of a cluster that was asked for ahead, and has it no longer. It is nil
// if it is to be asked for now: it was not, or not this one, or it is not there. give is to be
// called when it has been written.
func (n *nextPages) take(cluster, token string, place int) (read *page, refused *refusal, give func()) {
	p := n.pages[cluster]
	if p == nil {
		return nil, nil, func() {}
	}
	delete(n.pages, cluster)
	if p.token != token || p.limit > place {
		p.drop()
		return nil, nil, func() {}
	}
	if refused = p.wait(); refused != nil && refused.Reason == union.TimedOut {
		return nil, refused, func() {}
	}
	return p.page, nil, func() { p.keepOnly(0) }
}

// wait returns what has become of the page while it was waited for. What has become of it
// before says nothing of its member now.
func (p *nextPage) wait() *refusal {
	select {
	case <-p.done:
		return nil
	default:
		<-p.done
		return p.refused
	}
}

// drop ends the page, and has its room back when it is done.
func (p *nextPage) drop() {
	p.end()
	go func() {
		<-p.done
		p.page = nil
		p.keepOnly(0)
	}()
}

// forget drops the page of a cluster that is missing, if there is one.
func (n *nextPages) forget(cluster string) {
	if p := n.pages[cluster]; p != nil {
		delete(n.pages, cluster)
		p.drop()
	}
}

// close drops them all.
func (n *nextPages) close() {
	for _, p := range n.pages {
		p.drop()
	}
	clear(n.pages)
}

// page writes the page of a member that a token leads to, and returns the token for the next one.
func (l *listing) page(ctx context.Context, cluster, token string) (next string, refused *refusal, err error) {
	p, refused, written := l.next.take(cluster, token, l.left())
	defer written()
	if p == nil && refused == nil {
		p, refused = l.open(ctx, cluster, exact(l.query(l.left(), token), l.versions[cluster]))
	}
	if refused != nil {
		return "", refused, nil
	}
	return l.rest(ctx, p)
}

// readAhead asks for the pages that follow one that begins to be written.
func (l *listing) readAhead(ctx context.Context, p *page) {
	if l.target.name != "" {
		return
	}
	place := pageSize * mostNextPages
	if l.Limit > 0 {
		place = l.Limit - l.count - p.most()
	}
	if p.Continue != "" && !l.askAhead(ctx, p.reply.cluster, p.Continue, p.mean(), &place, 0) {
		return
	}
	for i := l.at + 1; i < len(l.begun); i++ {
		b, token := l.begun[i], ""
		select {
		case <-b.done:
		default:
			return
		}
		switch {
		case b.refused != nil:
			continue
		case b.page != nil:
			place -= len(b.page.kept)
			if token = b.page.Continue; token == "" {
				continue
			}
		}
		if !l.askAhead(ctx, l.clusters[i], token, b.mean, &place, mostNext-mostNextOfLater) {
			return
		}
	}
}

// readOn waits for the beginnings of the members that come later, which are short, and asks for
// what follows them while the first one, whose is long, is still busy.
func (l *listing) readOn(ctx context.Context) {
	if l.target.name != "" || l.Limit > 0 {
		return // what is wanted of them is not known
	}
	place := pageSize * mostNextPages
	for i := 1; i < len(l.begun); i++ {
		b := l.begun[i]
		<-b.done
		if b.refused != nil || b.page == nil || b.page.Continue == "" {
			continue
		}
		if !l.askAhead(ctx, l.clusters[i], b.page.Continue, b.mean, &place, mostNext-mostNextOfLater) {
			return
		}
	}
}

// askAhead asks for one page, unless it has been asked for. It is false if nothing is to be asked
// for behind it: there is no place in the list, or no room.
func (l *listing) askAhead(ctx context.Context, cluster, token string, size int, place *int, leave int) bool {
	p := l.next.pages[cluster]
	if p == nil {
		if p = l.next.reserve(token, size, min(*place, pageSize), leave); p == nil {
			return false
		}
		l.next.pages[cluster] = p
		ctx, p.end = context.WithCancel(ctx)
		go p.read(ctx, l.everywhere, cluster, exact(l.query(p.limit, token), l.versions[cluster]))
	}
	*place -= p.limit
	return true
}
