package fleetapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// beginsPage writes the beginning of the page of a list that is asked for, and says which of all
// objects it has.
func beginsPage(w io.Writer, r *http.Request, kind string, total int) (from, to int) {
	from, _ = strconv.Atoi(r.URL.Query().Get("continue"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	next := ""
	if to = min(from+limit, total); to < total {
		next = strconv.Itoa(to)
	}
	_, _ = fmt.Fprintf(w, `{"kind":%q,"apiVersion":"v1","metadata":{"resourceVersion":"7","continue":%q},"items":[`, kind, next)
	return from, to
}

// pagesOf answers pages of a list of so many objects of a size. at is called with the place
// of each object of each page before it is written.
func pagesOf(total, size int, at func(w http.ResponseWriter, r *http.Request, from, i int)) http.HandlerFunc {
	text := strings.Repeat("x", size)
	return func(w http.ResponseWriter, r *http.Request) {
		from, to := beginsPage(w, r, "ConfigMapList", total)
		for i := from; i < to; i++ {
			at(w, r, from, i)
			if i > from {
				_, _ = fmt.Fprint(w, ",")
			}
			if _, err := fmt.Fprintf(w, `{"metadata":{"name":"o%05d"},"data":{"a":%q}}`, i, text); err != nil {
				return
			}
		}
		_, _ = fmt.Fprint(w, "]}")
	}
}

// waits flushes, and waits for something until nobody waits for the answer any more.
func waits(w http.ResponseWriter, r *http.Request, what <-chan struct{}) {
	_ = http.NewResponseController(w).Flush()
	select {
	case <-what:
	case <-r.Context().Done():
	}
}

func sizes(l listed) (places int, ordered bool) { return len(l.places), slices.IsSorted(l.places) }

// A page of the first member comes only once the second pages of the others have been asked for.
func TestPagesOfLaterMembersAreAskedForBeforeTheirTurn(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]int{"its first": 0, "its last": 500} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hostOfMany{}
			asked := make(chan struct{})
			var others atomic.Int32
			for i := range 4 {
				m := newMember(t, fmt.Sprintf("m%d", i))
				m.does(pagesOf(600, 10, func(w http.ResponseWriter, r *http.Request, from, at int) {
					switch {
					case from != at:
					case i == 0 && from == page:
						waits(w, r, asked)
					case i > 0 && from == beginningSize:
						if others.Add(1) == 3 {
							close(asked)
						}
					}
				}))
				h.members = append(h.members, m)
			}
			l := get(t, serve(t, h), configMaps+"?timeout=20s")
			if places, ordered := sizes(l); l.err != nil || places != 4*600 || !ordered || len(l.warnings) > 0 {
				t.Errorf("%d objects, in order: %v, %v %v", places, ordered, l.warnings, l.err)
			}
		})
	}
}

// A member whose beginning breaks off is missing: nothing more is asked of it.
func TestNothingIsReadBehindABeginningThatHasFailed(t *testing.T) {
	t.Parallel()
	var h hostOfMany
	asked := make(chan struct{})
	var inVain atomic.Int32
	for i, name := range []string{"a", "b", "c"} {
		m := newMember(t, name)
		m.does(pagesOf(beginningSize+100, 10, func(w http.ResponseWriter, r *http.Request, from, at int) {
			switch {
			case i == 0 && at == from:
				waits(w, r, asked)
			case i == 1 && from > 0:
				inVain.Add(1)
			case i == 1 && at == from+1:
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			case i == 2 && from > 0 && at == from:
				close(asked)
			}
		}))
		h.members = append(h.members, m)
	}
	l := get(t, serve(t, &h), configMaps+"?timeout=20s")
	if places, ordered := sizes(l); l.err != nil || places != 2*(beginningSize+100) || !ordered || len(l.warnings) != 1 || inVain.Load() > 0 {
		t.Errorf("%d objects, in order: %v, %v %v, asked in vain: %d", places, ordered, l.warnings, l.err, inVain.Load())
	}
}

// What was asked for of a member that is found to be of another kind takes no room from others.
func TestWhatIsReadAheadOfAMemberThatIsMissingEnds(t *testing.T) {
	t.Parallel()
	var h hostOfMany
	asked, over := make(chan struct{}), make(chan struct{})
	for i, name := range []string{"a", "b", "c"} {
		m := newMember(t, name)
		fine := pagesOf(pageSize+10, 10, func(w http.ResponseWriter, r *http.Request, from, at int) {
			switch {
			case i == 0 && from == 0 && at == 0:
				waits(w, r, asked)
			case i == 0 && from > 0 && at == from:
				waits(w, r, over)
			}
		})
		m.does(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case i != 1:
				fine(w, r)
			case r.URL.Query().Get("continue") != "":
				beginsPage(w, r, "SecretList", 2*pageSize)
				_, _ = fmt.Fprint(w, `{"metadata":{"name":"o"}}`)
				close(asked)
				for r.Context().Err() == nil { // each object has its time
					_, _ = fmt.Fprint(w, `,{"metadata":{"name":"o"}}`)
					_ = http.NewResponseController(w).Flush()
					time.Sleep(100 * time.Millisecond)
				}
				close(over)
			default:
				beginsPage(w, r, "SecretList", pageSize+10)
				_, _ = fmt.Fprint(w, `{"metadata":{"name":"o"}}]}`)
			}
		})
		h.members = append(h.members, m)
	}
	l := get(t, serve(t, &h), configMaps+"?timeout=20s")
	if places, ordered := sizes(l); l.err != nil || places != 2*(pageSize+10) || !ordered || len(l.warnings) != 1 {
		t.Errorf("%d objects, in order: %v, %v %v", places, ordered, l.warnings, l.err)
	}
}

func TestLaterMembersLeaveAPlaceForTheOneThatIsWritten(t *testing.T) {
	t.Parallel()
	n := newNextPages(newRoom(mostNextOfAll))
	for {
		p := n.reserve("x", 10, pageSize, mostNext-mostNextOfLater)
		if p == nil {
			break
		}
		n.pages[strconv.Itoa(len(n.pages))] = p
	}
	if n.reserve("x", 10, pageSize, 0) == nil {
		t.Errorf("they have taken all %d", len(n.pages))
	}
}

// The end of a page comes only once the next one has been asked for.
func TestTheNextPageIsAskedForWhileOneIsWritten(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	m := newMember(t, "m")
	const size = 10 << 10
	m.does(pagesOf(600, size, func(w http.ResponseWriter, r *http.Request, from, at int) {
		switch {
		case from == 0 && at == mostOfPage/size+50:
			waits(w, r, asked)
		case from == 500 && at == from:
			close(asked)
		}
	}))
	l := get(t, serve(t, &hostOfMany{members: []*standIn{m}}), configMaps+"?timeout=20s")
	if places, ordered := sizes(l); l.err != nil || places != 600 || !ordered {
		t.Errorf("%d objects, in order: %v, %v", places, ordered, l.err)
	}
}

func TestWhatHasFailedBeforeItsTurnIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(w http.ResponseWriter, r *http.Request){
		"an error":          func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"what is cut short": func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"kind":"ConfigMapList"`) },
		"larger objects": func(w http.ResponseWriter, r *http.Request) {
			pagesOf(600, 4<<10, func(http.ResponseWriter, *http.Request, int, int) {})(w, r)
		},
		"one large object": func(w http.ResponseWriter, r *http.Request) {
			pagesOf(beginningSize+1, 4<<20, func(http.ResponseWriter, *http.Request, int, int) {})(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newMember(t, "a", named(10)...), newMember(t, "b")
			var times atomic.Int32
			fine := pagesOf(600, 10, func(http.ResponseWriter, *http.Request, int, int) {})
			b.does(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("continue") == strconv.Itoa(beginningSize) && times.Add(1) == 1 {
					fails(w, r)
					return
				}
				fine(w, r)
			})
			l := get(t, serve(t, &hostOfMany{members: []*standIn{a, b}}), configMaps+"?timeout=20s")
			if places, ordered := sizes(l); l.err != nil || places != 610 || !ordered || len(l.warnings) > 0 || times.Load() != 2 {
				t.Errorf("%d objects, in order: %v, %v %v, asked %d times", places, ordered, l.warnings, l.err, times.Load())
			}
		})
	}
}

// As in its turn, a member has its time for each object, not for a page of them: a list over
// a slow line would break off where it did not before.
func TestPagesThatAreReadAheadMayTakeLongerThanAnObject(t *testing.T) {
	t.Parallel()
	a, b := newMember(t, "a", named(10)...), newMember(t, "b")
	var times atomic.Int32
	b.does(pagesOf(beginningSize+20, 10, func(w http.ResponseWriter, r *http.Request, from, at int) {
		if from == beginningSize {
			if at == from {
				times.Add(1)
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(250 * time.Millisecond) // together more than the four fifths of the timeout that a member has
		}
	}))
	l := get(t, serve(t, &hostOfMany{members: []*standIn{a, b}}), configMaps+"?timeout=5s")
	if places, ordered := sizes(l); l.err != nil || places != 10+beginningSize+20 || !ordered || len(l.warnings) > 0 || times.Load() != 1 {
		t.Errorf("%d objects, in order: %v, %v %v, asked %d times", places, ordered, l.warnings, l.err, times.Load())
	}
}

// Whose time was over long before its turn may answer by now. Who is waited for in it has had
// the time that there is.
func TestATimeoutCountsOnlyOfAMemberThatIsWaitedFor(t *testing.T) {
	t.Parallel()
	late := func() *nextPage {
		return &nextPage{token: "x", done: make(chan struct{}), refused: late("a", time.Second)}
	}
	n := newNextPages(newRoom(mostNextOfAll))
	before := late()
	close(before.done)
	n.pages["a"] = before
	if page, refused, _ := n.take("a", "x", pageSize); page != nil || refused != nil {
		t.Errorf("what has failed before its turn is not asked for in it: %v", refused)
	}
	meanwhile := late()
	n.pages["a"] = meanwhile
	go func() {
		time.Sleep(100 * time.Millisecond)
		close(meanwhile.done)
	}()
	if page, refused, _ := n.take("a", "x", pageSize); page != nil || refused == nil {
		t.Error("who was waited for is waited for once more")
	}
}

// A member that says two tokens for a page has no requests pile up.
func TestPagesThatAreNotNeededAreNotReadOn(t *testing.T) {
	t.Parallel()
	m := newMember(t, "m")
	const before = 60
	asked, over := make(chan struct{}), make(chan struct{})
	m.does(func(w http.ResponseWriter, r *http.Request) {
		const head, item = `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":%q},"items":[`, `{"metadata":{"name":%q}}]`
		switch r.URL.Query().Get("continue") {
		case "": // more than is kept until it is written, so that the second token is read then
			_, _ = fmt.Fprintf(w, head, "wrong")
			for i := range before {
				_, _ = fmt.Fprintf(w, `{"metadata":{"name":"a%02d"},"data":{"a":%q}},`, i, strings.Repeat("x", mostOfPage/before))
			}
			waits(w, r, asked)
			_, _ = fmt.Fprintf(w, item+`,"metadata":{"resourceVersion":"7","continue":"right"}}`, "last")
		case "wrong":
			close(asked)
			waits(w, r, nil)
			close(over)
		default:
			select {
			case <-over:
			case <-time.After(20 * time.Second):
				t.Error("a page goes on being read that is not needed any more")
			}
			_, _ = fmt.Fprintf(w, head+item+"}", "", "b")
		}
	})
	l := get(t, serve(t, &hostOfMany{members: []*standIn{m}}), configMaps+"?timeout=1m")
	if l.err != nil || len(l.places) != before+2 || !slices.Equal(l.places[before:], []string{"m/last", "m/b"}) {
		t.Errorf("got %v, %v", l.places, l.err)
	}
}

func TestWithoutRoomEachPageIsReadInItsTurn(t *testing.T) {
	t.Parallel()
	h := &hostOfMany{room: newRoom(0)}
	for i := range 3 {
		h.members = append(h.members, newMember(t, fmt.Sprintf("m%d", i), named(1200)...))
	}
	server := serve(t, h)
	for _, limit := range []int{0, 3600} {
		l := get(t, server, fmt.Sprintf("%s?limit=%d", configMaps, limit))
		if places, ordered := sizes(l); l.err != nil || places != 3600 || !ordered {
			t.Errorf("%d objects, in order: %v, %v", places, ordered, l.err)
		}
	}
	if left := h.room.free(); left != 0 {
		t.Errorf("%d bytes were given back that nobody took", left)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// listsUnread begins lists that nobody reads. leave ends them.
func listsUnread(t *testing.T, server *httptest.Server, number int) (leave func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range number {
		all.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+fleetv1alpha1.ProxyPath(fleetv1alpha1.AllClusters)+configMaps, nil)
			if err != nil {
				t.Error(err)
				return
			}
			response, err := server.Client().Do(r)
			if err != nil {
				return // it has left
			}
			<-ctx.Done()
			_ = response.Body.Close()
		})
	}
	return func() { cancel(); all.Wait() }
}

// However many lists nobody reads: what is kept of their pages is within its bounds, and gone
// when they are.
func TestWhatIsReadAheadOfSlowClientsIsBounded(t *testing.T) {
	t.Parallel()
	const size, lists = 8 << 10, 5
	h := &hostOfMany{room: newRoom(2*mostNext + mostNext/2)} // not enough for all of them
	for i := range 6 {
		m := newMember(t, fmt.Sprintf("m%d", i))
		m.does(pagesOf(3000, size, func(http.ResponseWriter, *http.Request, int, int) {}))
		h.members = append(h.members, m)
	}
	all := h.room.free()
	leave := listsUnread(t, serve(t, h), lists)
	eventually(t, "nothing is read ahead", func() bool { return h.room.free() < all-mostNext })
	if left := h.room.free(); left < 0 {
		t.Errorf("%d bytes more than there are", -left)
	}
	leave()
	eventually(t, "what was read ahead is still kept", func() bool { return h.room.free() == all })
}

func TestWhoGoesAwayEndsWhatIsReadAhead(t *testing.T) {
	t.Parallel()
	h := &hostOfMany{}
	var open atomic.Int32
	for i := range 3 {
		m := newMember(t, fmt.Sprintf("m%d", i))
		m.does(pagesOf(600, 10, func(w http.ResponseWriter, r *http.Request, from, at int) {
			if from > 0 && from == at {
				open.Add(1)
				defer open.Add(-1)
				waits(w, r, nil)
			}
		}))
		h.members = append(h.members, m)
	}
	server := serve(t, h)
	leave := listsUnread(t, server, 1)
	eventually(t, "nothing is read ahead", func() bool { return open.Load() == 3 })
	if h.room.free() == mostNextOfAll {
		t.Error("what is read takes no room")
	}
	leave()
	eventually(t, "requests to members go on", func() bool { return open.Load() == 0 && h.room.free() == mostNextOfAll })
}

func TestPagesThatAreReadAheadAreAsLargeAsThereIsRoom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own, all, size, wanted, leave, limit int
	}{
		"small objects":               {mostNext, mostNextOfAll, 1000, 500, 0, 500},
		"as many as the list takes":   {mostNext, mostNextOfAll, 1000, 30, 0, 30},
		"none":                        {mostNext, mostNextOfAll, 1000, 0, 0, 0},
		"large objects are fewer":     {mostNext, mostNextOfAll, 30_000, 500, 0, 166},
		"very large ones are none":    {mostNext, mostNextOfAll, 100_000, 500, 0, 0},
		"later members leave some":    {mostNext, mostNextOfAll, 20_000, 500, mostNext - mostNextOfLater, 186},
		"none left of the process":    {mostNext, 100_000, 1000, 500, 0, 0},
		"none left of the list's own": {100_000, mostNextOfAll, 1000, 500, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := newRoom(test.all)
			n := newNextPages(all)
			n.own = newRoom(test.own)
			p := n.reserve("x", test.size, test.wanted, test.leave)
			limit := 0
			if p != nil {
				limit = p.limit
				if test.own-n.own.free() != p.room || test.all-all.free() != p.room || p.room < limit*test.size {
					t.Errorf("%d bytes are taken for %d objects", p.room, limit)
				}
				p.keepOnly(0)
			}
			if limit != test.limit {
				t.Errorf("%d objects, not %d", limit, test.limit)
			}
			if n.own.free() != test.own || all.free() != test.all {
				t.Error("some is missing")
			}
		})
	}
}
