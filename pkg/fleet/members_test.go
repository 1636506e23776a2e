package fleet

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// newTestMembers returns members whose watches nothing runs, by the name of a connection.
func newTestMembers() *Members[string, value] {
	return NewMembers(func(ctx context.Context, _, _ string, _ typeconfig.Type, known *Table[value]) *Watch[value] {
		if known == nil {
			known = NewTable(versioned(Rules[value]{}))
		}
		return NewWatch(ctx, known)
	})
}

func TestConnectionThatHasLeftDisplacesNone(t *testing.T) {
	members := newTestMembers()
	left, leave := context.WithCancel(t.Context())
	leave()
	members.Engage(t.Context(), "m", "there")
	members.Engage(left, "m", "left")
	if connection, _ := members.Get("m", ""); connection != "there" {
		t.Errorf("the connection is %q", connection)
	}
}

func TestWatchesComeAndGo(t *testing.T) {
	members := newTestMembers()
	first, leave := context.WithCancel(t.Context())
	members.Engage(first, "m", "first")
	members.AddType(typeconfig.Type{Name: "widgets"})
	_, begun := members.Get("m", "widgets")
	must(t, begun.Replace([]any{written("1")}, "1"))

	members.Relist("m")
	members.Relist("nobody")
	_, relisted := members.Get("m", "widgets")
	if !begun.Ended() || relisted.Ended() || relisted.Synced() || relisted.Get(b) == nil {
		t.Error("after an outage, what was known is to be kept, and listed again")
	}
	members.Engage(t.Context(), "m", "second")
	connection, reconnected := members.Get("m", "widgets")
	if connection != "second" || !relisted.Ended() || reconnected.Synced() || reconnected.Get(b) == nil {
		t.Error("with another connection, what was known is to be kept, and listed again")
	}
	leave()
	<-first.Done()
	if connection, _ := members.Get("m", ""); connection != "second" {
		t.Error("the end of the first connection has ended the second")
	}
	members.AddType(typeconfig.Type{Name: "widgets", StatusCollection: true})
	if _, changed := members.Get("m", "widgets"); !reconnected.Ended() || changed.Get(b) != nil {
		t.Error("what another definition of the type has kept is still there")
	}
	_, last := members.Get("m", "widgets")
	members.RemoveType("widgets")
	if _, watch := members.Get("m", "widgets"); watch != nil || !last.Ended() {
		t.Error("the type is still watched")
	}
	if connection, watch := members.Get("nobody", "widgets"); connection != "" || watch != nil {
		t.Error("nobody is engaged")
	}
}

// joined is an inventory that is set by the test.
type joined map[string]membership.Info

func (j joined) Synced() bool           { return true }
func (j joined) Subscribe(func(string)) {}

func (j joined) Facts(string) (membership.Facts, bool) { return membership.Facts{}, false }

func (j joined) SubscribeFacts(func(string)) {}
func (j joined) Clusters() []membership.Info {
	return []membership.Info{j["m"], j["n"]}
}
func (j joined) Info(name string) (membership.Info, bool) {
	info, found := j[name]
	return info, found
}

func TestChanges(t *testing.T) {
	none, matters := Change{}, Change{Matters: true}
	var changes Changes
	inventory := joined{}
	for _, step := range []struct {
		what string
		info *membership.Info
		want Change
	}{
		{"unknown, and not there", nil, none},
		{"joined", &membership.Info{}, matters},
		{"told again", &membership.Info{}, none},
		{"probed, unready", &membership.Info{Probed: true, Message: "no answer"}, matters},
		{"another message", &membership.Info{Probed: true, Message: "refused"}, none},
		{"ready again", &membership.Info{Probed: true, Ready: true}, Change{Matters: true, Recovered: true}},
		{"relabelled", &membership.Info{Probed: true, Ready: true, Labels: map[string]string{"a": "b"}}, matters},
		{"the host itself", &membership.Info{Probed: true, Ready: true, Labels: map[string]string{"a": "b"}, Host: true}, matters},
		{"unready", &membership.Info{Probed: true, Labels: map[string]string{"a": "b"}, Host: true}, matters},
		{"given rights anew", &membership.Info{Probed: true, Labels: map[string]string{"a": "b"}, Host: true, RightsRenewed: "1"}, Change{RightsRenewed: true}},
		{"left", nil, matters},
		{"not there", nil, none},
		{"ready from the first probe on", &membership.Info{Probed: true, Ready: true, RightsRenewed: "1"}, matters},
	} {
		delete(inventory, "m")
		if step.info != nil {
			inventory["m"] = *step.info
		}
		if got := changes.Of(inventory, "m"); got != step.want {
			t.Errorf("%s: %+v, want %+v", step.what, got, step.want)
		}
	}
}

func TestPlacementInput(t *testing.T) {
	inventory := joined{"m": {Name: "m", Ready: true}, "n": {Name: "n", Labels: map[string]string{"a": "b"}}}
	decision, err := placement.Decide(PlacementInput(inventory, placement.Spec{Clusters: []string{"n"}, HasClusters: true}))
	if err != nil || len(decision.Clusters) != 1 || decision.Clusters[0] != "n" {
		t.Errorf("%v, %v", decision, err)
	}
}

// The watch that has been silent for longest counts, and whatever it is told ends that.
func TestHowLongClustersAreSilent(t *testing.T) {
	members := newTestMembers()
	members.AddType(typeconfig.Type{Name: "widgets"})
	members.AddType(typeconfig.Type{Name: "gadgets"})
	members.Engage(t.Context(), "m", "there")
	_, widgets := members.Get("m", "widgets")
	_, gadgets := members.Get("m", "gadgets")
	silence := func(of *Watch[value], at int64) { of.heard.Store(time.Unix(at, 0).UnixNano()) }
	for name, tell := range map[string]func() error{
		"a list":     func() error { return widgets.Replace([]any{written("1")}, "1") },
		"an object":  func() error { return widgets.Add(written("2")) },
		"a change":   func() error { return widgets.Update(written("3")) },
		"a deletion": func() error { return widgets.Delete(written("4")) },
		"a bookmark": func() error { return widgets.Bookmark("5") },
	} {
		silence(widgets, 10)
		silence(gadgets, 20)
		if at := members.Heard()["m"]; at.Unix() != 10 {
			t.Errorf("%s: silent since %s", name, at)
		}
		must(t, tell())
		if at := members.Heard()["m"]; at.Unix() != 20 {
			t.Errorf("after %s of the other: silent since %s", name, at)
		}
	}
	gadgets.failed(t.Context(), Source{WhyNotFound: func(context.Context, error) Absence { return Absence{Why: context.Canceled, Unserved: true} }},
		apierrors.NewNotFound(schema.GroupResource{Resource: "gadgets"}, ""))
	if at := members.Heard()["m"]; time.Since(at) > time.Hour {
		t.Errorf("a type that is not served counts: %s", at)
	}
	if heard := members.Heard(); len(heard) != 1 {
		t.Errorf("heard %v", heard)
	}
}
