package fleetapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A member that takes no list for new enough to be watched is named once, and listed ever more
// seldom. What it has is told all the same.
func TestWatchesNameMembersWhoseOwnDoNotHold(t *testing.T) {
	t.Parallel()
	a, b := newMember(t, "a"), newMember(t, "b", "y")
	server := serve(t, &hostOfMany{members: []*standIn{a, b}})
	get(t, server, configMaps) // connects
	names, lists := []string{"y"}, 0
	b.does(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if r.URL.Query().Get("watch") != "" {
			w.WriteHeader(http.StatusGone)
			_, _ = fmt.Fprint(w, `{"kind":"Status","code":410,"reason":"Expired","message":"too old"}`)
			return
		}
		lists++
		b.list(w, r, names)
	})
	next, _ := watched(t, server, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
	if got := next(); got != "ADDED b/y a=7" && got != "ADDED b/y 0" { // before or after a has told that it has nothing
		t.Fatal(got)
	}
	for got := next(); ; got = next() {
		if strings.Contains(got, `{"b":{"reason":"Failed","message":"its watches do not hold, so it is listed from time to time: too old"}}`) {
			break
		} else if !strings.HasPrefix(got, "BOOKMARK") {
			t.Fatal(got)
		}
	}
	b.mu.Lock()
	if lists > 2 {
		t.Errorf("it was listed %d times before", lists)
	}
	names = []string{"y", "z"}
	b.mu.Unlock()
	for got := next(); !strings.HasPrefix(got, "ADDED b/z"); got = next() {
		if !strings.HasPrefix(got, "BOOKMARK") || !strings.Contains(got, "do not hold") { // it is not back
			t.Fatal(got)
		}
	}
}

func TestAMemberWhoseWatchesDidNotHoldIsBackWhenOneLasts(t *testing.T) {
	tells := make(chan told)
	f := &following{cluster: "a", begun: true, tells: tells}
	go f.fleets(t.Context(), errorOf("a", errEndless))
	if said := <-tells; said.lost == nil {
		t.Fatalf("got %+v", said)
	}
	f.works(t.Context()) // tells nothing
	go f.holds(t.Context())
	if said := <-tells; !said.back {
		t.Errorf("got %+v", said)
	}
}
