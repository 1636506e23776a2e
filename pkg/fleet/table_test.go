package fleet

import (
	"errors"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// value is what the tests keep of an object.
type value struct {
	version uint64
	text    string
}

func readValue(obj metav1.Object) (*value, error) {
	if obj.GetName() == "unreadable" {
		return nil, errors.New("it cannot be read")
	}
	return &value{version: ParseVersion(obj.GetResourceVersion()), text: obj.GetLabels()["text"]}, nil
}

func versioned(rules Rules[value]) Rules[value] {
	rules.Read = readValue
	rules.Version = func(v *value) uint64 { return v.version }
	return rules
}

// written is the object b in a version.
func written(version string) *metav1.PartialObjectMetadata { return object("b", version, "") }

func object(name, version, text string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "n", Name: name, ResourceVersion: version, Labels: map[string]string{"text": text},
	}}
}

var b = types.NamespacedName{Namespace: "n", Name: "b"}

func always() bool { return true }

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestListDoesNotUndoWhatWasWrittenSince(t *testing.T) {
	table := NewTable(versioned(Rules[value]{}))
	w := NewWatch(t.Context(), table)
	must(t, w.Replace(nil, "90"))
	w.Observe(b, &value{version: 105})
	if must(t, w.Replace(nil, "100")); w.Get(b) == nil {
		t.Error("an older list has undone a write")
	}
	if must(t, w.Replace(nil, "110")); w.Get(b) != nil {
		t.Error("a newer list has not")
	}
	if w.Observe(b, &value{version: 115}); w.Get(b) == nil {
		t.Fatal("a write is not known")
	}
	table.Unsync()
	if must(t, w.Replace(nil, "112")); w.Get(b) != nil {
		t.Error("what another connection wrote is held for there")
	}
	if must(t, w.Add(written("120"))); w.Get(b) == nil {
		t.Fatal("what the watch told is not known")
	}
	if must(t, w.Replace(nil, "50")); w.Get(b) != nil {
		t.Error("the cluster was restored, and what it held afterwards is held for there")
	}
}

func TestWatchThatHasEndedTellsNothing(t *testing.T) {
	table := NewTable(versioned(Rules[value]{
		OnChange: func(types.NamespacedName, *value, *value) { t.Error("a change was told") },
		OnSynced: func() { t.Error("a list was told") },
	}))
	table.Swap(b, nil, &value{version: 105})
	table.seen = 105
	w := NewWatch(t.Context(), table)
	w.Stop()
	w.Observe(b, &value{version: 200})
	w.Forget(b, func(*value) bool { return true })
	must(t, w.Bookmark("200"), w.Add(written("200")), w.Delete(written("200")), w.Replace(nil, "200"), table.replace(nil, "200", always))
	if v := w.Get(b); v == nil || v.version != 105 || table.seen != 105 || w.Synced() {
		t.Errorf("it has changed something: %+v, seen %d", v, table.seen)
	}
}

func TestLateWatchDoesNotUndoAWrite(t *testing.T) {
	told := 0
	w := NewWatch(t.Context(), NewTable(versioned(Rules[value]{OnChange: func(types.NamespacedName, *value, *value) { told++ }})))
	must(t, w.Replace(nil, "90"))
	w.Observe(b, &value{version: 105, text: "ours"})
	must(t, w.Update(written("100")), w.Delete(written("101")))
	if v := w.Get(b); told != 0 || v == nil || v.text != "ours" {
		t.Errorf("the late watch has made it %+v and told %d times", v, told)
	}
	must(t, w.Update(written("105")))
	if v := w.Get(b); told != 1 || v.text != "" {
		t.Errorf("the echo of the write has made it %+v and told %d times", v, told)
	}
	must(t, w.Delete(written("110")))
	if w.Observe(b, &value{version: 108}); told != 2 || w.Get(b) != nil {
		t.Error("a write that the watch has passed is held for there")
	}
}

func TestOwnWritesStandForTheirVersion(t *testing.T) {
	w := NewWatch(t.Context(), NewTable(versioned(Rules[value]{OwnWritesStand: true})))
	must(t, w.Replace(nil, "90"))
	text := func(when, want string) {
		t.Helper()
		if v := w.Get(b); v == nil || v.text != want {
			t.Errorf("%s: it is %+v, want %q", when, v, want)
		}
	}
	w.Observe(b, &value{version: 105, text: "whole"})
	must(t, w.Add(object("b", "105", "what is kept of it")))
	text("the watch tells after the write", "whole")
	must(t, w.Update(object("b", "110", "what is kept of it")))
	w.Observe(b, &value{version: 110, text: "whole again"})
	text("the watch tells before the write", "whole again")
	must(t, w.Update(object("b", "120", "another's")))
	text("somebody else writes", "another's")
}

func TestCarry(t *testing.T) {
	w := NewWatch(t.Context(), NewTable(versioned(Rules[value]{Carry: func(before, after *value) { after.text = before.text }})))
	must(t, w.Replace([]any{object("b", "10", "told by the watch")}, "10"))
	w.Observe(b, &value{version: 11})
	if v := w.Get(b); v.version != 11 || v.text != "told by the watch" {
		t.Errorf("got %+v", v)
	}
}

func TestForgetSparesAnotherOne(t *testing.T) {
	w := NewWatch(t.Context(), NewTable(versioned(Rules[value]{})))
	must(t, w.Replace([]any{written("10")}, "10"))
	if w.Forget(b, func(known *value) bool { return known.version == 9 }); w.Get(b) == nil {
		t.Error("another one was forgotten")
	}
	if w.Forget(b, func(known *value) bool { return known.version == 10 }); w.Get(b) != nil {
		t.Error("it was not forgotten")
	}
}

func TestWhatListsTell(t *testing.T) {
	before := []any{object("same", "1", ""), object("changed", "1", "a"), object("gone", "1", "")}
	after := []any{object("same", "1", ""), object("changed", "2", "b"), object("come", "2", "")}
	equal := func(a, b *value) bool { return *a == *b }
	for name, test := range map[string]struct {
		rules Rules[value]
		want  []string
	}{
		"everything":     {Rules[value]{}, []string{"changed", "come", "gone", "same", "synced"}},
		"differences":    {Rules[value]{Same: equal}, []string{"changed", "come", "gone", "synced"}},
		"only that":      {Rules[value]{SilentLists: true}, []string{"synced"}},
		"in a namespace": {Rules[value]{Same: equal, ByNamespace: true}, []string{"changed", "come", "gone", "synced"}},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			rules := versioned(test.rules)
			rules.OnChange = func(key types.NamespacedName, _, _ *value) { told = append(told, key.Name) }
			rules.OnSynced = func() {
				slices.Sort(told)
				told = append(told, "synced")
			}
			w := NewWatch(t.Context(), NewTable(rules))
			must(t, w.Replace(before, "1"))
			told = nil
			must(t, w.Replace(after, "2"))
			if !slices.Equal(told, test.want) {
				t.Errorf("told %v, want %v", told, test.want)
			}
			for namespace, want := range map[string][]string{"": {"changed", "come", "same"}, "n": {"changed", "come", "same"}, "m": nil} {
				var names []string
				for _, key := range w.Keys(namespace) {
					names = append(names, key.Name)
				}
				if slices.Sort(names); !slices.Equal(names, want) {
					t.Errorf("in namespace %q: %v, want %v", namespace, names, want)
				}
			}
		})
	}
}

func TestUnreadableListChangesNothing(t *testing.T) {
	w := NewWatch(t.Context(), NewTable(versioned(Rules[value]{})))
	must(t, w.Replace([]any{written("1")}, "1"))
	if err := w.Replace([]any{object("unreadable", "2", "")}, "2"); err == nil || w.Get(b) == nil {
		t.Errorf("got %v", err)
	}
	if w.Add("not an object") == nil || w.Delete("not an object") == nil {
		t.Error("what is no object was taken in")
	}
}

func TestSwap(t *testing.T) {
	w := NewWatch(t.Context(), NewTable(Rules[value]{Read: readValue}))
	must(t, w.Replace([]any{written("7")}, "9")) // without versions, what arrives last counts
	seen := w.Get(b)
	must(t, w.Update(object("b", "5", "by another")))
	if w.Swap(b, seen, &value{text: "ours"}); w.Get(b).text != "by another" {
		t.Error("what has changed since was overwritten")
	}
	if w.Swap(b, w.Get(b), &value{text: "ours"}); w.Get(b).text != "ours" {
		t.Error("a write is not known")
	}
}

func TestNoWatchKnowsNothing(t *testing.T) {
	var none *Watch[value]
	if value, synced := none.Look(b); value != nil || synced || none.Get(b) != nil || none.Synced() || none.Problem() != nil || none.Unserved() || none.Keys("") != nil {
		t.Error("no watch knows something")
	}
}

// TestTableKeepsNoMoreThanItMay: what is too much is kept without what can be done
// without, whichever way it comes, and there is room again for what has become less.
func TestTableKeepsNoMoreThanItMay(t *testing.T) {
	table := NewTable(versioned(Rules[value]{
		Weigh: func(v *value) int { return len(v.text) }, MostWeight: 10,
		Lighten: func(v *value) *value { return &value{version: v.version} },
	}))
	key := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "n", Name: name} }
	expect := func(when string, want map[string]string) {
		t.Helper()
		for name, text := range want {
			if v := table.Get(key(name)); v == nil || v.text != text {
				t.Errorf("%s: of %s is kept %+v, want %q", when, name, v, text)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(table.replace([]any{object("a", "1", "123456")}, "1", never))
	must(table.put(object("b", "2", "123456"), never))
	expect("after what was one too many", map[string]string{"a": "123456", "b": ""})
	must(table.put(object("a", "3", "12"), never))
	must(table.put(object("b", "4", "123456"), never))
	expect("when there is room", map[string]string{"a": "12", "b": "123456"})
	must(table.remove(object("b", "5", ""), never))
	table.Observe(key("c"), &value{version: 6, text: "12345678"})
	expect("when one is gone", map[string]string{"a": "12", "c": "12345678"})
	must(table.replace([]any{object("a", "7", "12345678901"), object("d", "7", "1")}, "7", never))
	expect("after a list", map[string]string{"a": "", "d": "1"})
	if table.weight != 1 {
		t.Errorf("%d bytes are counted, want 1", table.weight)
	}
}

// What the index finds are the objects that the table holds there, whatever has become of them.
func TestIndex(t *testing.T) {
	type at struct{ namespace, text string }
	table := NewTable(versioned(Rules[value]{Index: func(key types.NamespacedName, v *value) any {
		if v.text == "" {
			return nil
		}
		return at{key.Namespace, v.text}
	}}))
	w := NewWatch(t.Context(), table)
	expect := func(text string, versions ...uint64) {
		t.Helper()
		var got []uint64
		for _, v := range w.At(at{"n", text}) {
			got = append(got, v.version)
		}
		if slices.Sort(got); !slices.Equal(got, versions) {
			t.Errorf("at %q: got %v, want %v", text, got, versions)
		}
	}
	must(t, w.Replace([]any{object("a", "1", "x"), object("b", "2", "x"), object("c", "3", "")}, "3"))
	expect("x", 1, 2)
	must(t, w.Update(object("b", "4", "y")), w.Update(object("c", "5", "x")))
	expect("x", 1, 5)
	expect("y", 4)
	must(t, w.Delete(object("a", "6", "x")), w.Update(object("c", "7", "")))
	expect("x")
	must(t, w.Replace([]any{object("d", "8", "y")}, "9"))
	expect("y", 8)
	w.Swap(types.NamespacedName{Namespace: "n", Name: "d"}, w.At(at{"n", "y"})[0], &value{version: 9, text: "x"})
	expect("y")
	expect("x", 9)
	must(t, w.Replace(nil, "10"))
	if expect("x"); len(table.index) != 0 {
		t.Errorf("%d entries stay in the index", len(table.index))
	}
	if (*Watch[value])(nil).At(at{}) != nil {
		t.Error("no watch finds something")
	}
}
