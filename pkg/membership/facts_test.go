package membership

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFactsAreToldToThoseWhoAsk(t *testing.T) {
	m := &member{name: "m"}
	p := &Provider{members: map[string]*member{"m": m}}
	var told []string
	p.Subscribe(func(name string) { told = append(told, "info of "+name) })
	p.SubscribeFacts(func(name string) { told = append(told, "facts of "+name) })
	learn := func(count int, version string) {
		p.learn(m, func(f *Facts) {
			f.KubernetesVersion, f.Nodes = version, &Nodes{Count: count, Accelerators: map[string]int64{"amd.com/gpu": 4}}
		})
	}
	learn(3, "v1")
	learn(3, "v1")
	learn(4, "v1")
	learn(4, "v2")
	if want := []string{"facts of m", "facts of m", "facts of m"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	facts, known := p.Facts("m")
	if diff := cmp.Diff(Facts{KubernetesVersion: "v2", Nodes: &Nodes{Count: 4, Accelerators: map[string]int64{"amd.com/gpu": 4}}}, facts); !known || diff != "" {
		t.Errorf("known: %t (-want +got):\n%s", known, diff)
	}

	told = nil
	delete(p.members, "m")
	learn(5, "v2") // what a member that has left was asked before
	if _, known := p.Facts("m"); known || told != nil {
		t.Errorf("it has left; known: %t, told %v", known, told)
	}
}

func TestInfoFindsOneCluster(t *testing.T) {
	p := &Provider{members: map[string]*member{}}
	for _, name := range []string{"c", "a", "b"} {
		p.members[name] = &member{info: Info{Name: name, Reason: "of " + name}}
	}
	p.renewSnapshot()
	for name, want := range map[string]string{"a": "of a", "b": "of b", "c": "of c", "": "", "bb": "", "d": ""} {
		if info, found := p.Info(name); info.Reason != want || found != (want != "") {
			t.Errorf("%q: %+v, %t", name, info, found)
		}
	}
}
