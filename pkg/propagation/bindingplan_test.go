package propagation

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlanBindings(t *testing.T) {
	names := func(list ...string) map[string]bool {
		set := map[string]bool{}
		for _, name := range list {
			set[name] = true
		}
		return set
	}
	for name, tc := range map[string]struct {
		in   bindingInput
		want bindingPlan
	}{
		"nothing": {},
		"what is placed is bound, once": {
			in:   bindingInput{placed: names("b", "a", "c"), bound: names("c"), usedKnown: true},
			want: bindingPlan{bind: []string{"a", "b"}},
		},
		"what has not arrived waits": {
			in: bindingInput{placed: names("missing"), usedKnown: true},
		},
		"what is not placed is bound no longer": {
			in:   bindingInput{placed: names("a"), bound: names("a", "b"), usedKnown: true},
			want: bindingPlan{unbind: []string{"b"}},
		},
		"as long as there is something to remove, it stays": {
			in:   bindingInput{bound: names("b"), used: names("b"), owed: names("b"), usedKnown: true},
			want: bindingPlan{leaving: true},
		},
		"and as long as nobody knows": {
			in:   bindingInput{bound: names("b")},
			want: bindingPlan{leaving: true},
		},
		"what was taken back is bound again to remove what we have there": {
			in:   bindingInput{used: names("b", "c"), owed: names("b"), usedKnown: true},
			want: bindingPlan{bind: []string{"b"}},
		},
		"a placement that cannot be read changes nothing": {
			in: bindingInput{unknown: names("a", "b"), bound: names("a"), usedKnown: true},
		},
		"what binds something else is made anew": {
			in:   bindingInput{placed: names("a"), bound: map[string]bool{"a": false}, usedKnown: true},
			want: bindingPlan{bind: []string{"a"}, unbind: []string{"a"}},
		},
		"what binds something else where nothing is placed is removed": {
			in:   bindingInput{bound: map[string]bool{"a": false}, used: names("a")},
			want: bindingPlan{unbind: []string{"a"}},
		},
		"Kubernetes' own are never bound": {
			in:   bindingInput{placed: names("barred"), owed: names("barred"), used: names("barred"), bound: names("barred"), usedKnown: true},
			want: bindingPlan{unbind: []string{"barred"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.in.there = func(namespace string) bool { return namespace != "missing" }
			tc.in.mayBind = func(namespace string) bool { return namespace != "barred" }
			if diff := cmp.Diff(tc.want, planBindings(tc.in), cmp.AllowUnexported(bindingPlan{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
