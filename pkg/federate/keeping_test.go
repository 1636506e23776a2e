package federate

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

func TestReplacementKeepsWhatOthersHaveInLists(t *testing.T) {
	for name, test := range map[string]struct {
		live, desired, others string
		whole                 []string
		want                  string
	}{
		"an item": {
			`{l: [{name: a, x: 1}, {name: b, x: 2}]}`, `{l: [{name: a, x: 3}]}`, `{"f:l":{"k:{\"name\":\"b\"}":{".":{},"f:x":{}}}}`, nil,
			`{l: [{name: a, x: 3}, {name: b, x: 2}]}`,
		},
		"a field of an item": {
			`{l: [{name: a, x: 1, w: 2, z: 3}]}`, `{l: [{name: a, x: 4}]}`, `{"f:l":{"k:{\"name\":\"a\"}":{"f:w":{}}}}`, nil,
			`{l: [{name: a, x: 4, w: 2}]}`,
		},
		"no field of an item that is in the way": {
			`{l: [{name: a, x: 1, w: 2}, {name: b}]}`, `{l: [{name: a, x: 4}]}`, `{"f:l":{"k:{\"name\":\"a\"}":{"f:w":{}},"k:{\"name\":\"b\"}":{}}}`, []string{"l"},
			`{l: [{name: a, x: 4}, {name: b}]}`,
		},
		"an object in an item is desired's": {
			`{l: [{name: a, o: {x: 1, w: 2}}]}`, `{l: [{name: a, o: {x: 1}}]}`, `{"f:l":{"k:{\"name\":\"a\"}":{"f:o":{"f:w":{}}}}}`, nil,
			`{l: [{name: a, o: {x: 1}}]}`,
		},
		"an item of a list in an item": {
			`{l: [{name: a, m: [{name: x}, {name: w}]}]}`, `{l: [{name: a, m: [{name: x}]}]}`, `{"f:l":{"k:{\"name\":\"a\"}":{"f:m":{"k:{\"name\":\"w\"}":{}}}}}`, nil,
			`{l: [{name: a, m: [{name: x}, {name: w}]}]}`,
		},
		"no item of another key and the same name": {
			`{l: [{port: 8080, name: a}, {port: 9, name: b}]}`, `{l: [{port: 80, name: a}]}`, `{"f:l":{"k:{\"port\":8080}":{},"k:{\"port\":9}":{}}}`, nil,
			`{l: [{port: 80, name: a}, {port: 9, name: b}]}`,
		},
		"a value": {`{l: [a, b, c]}`, `{l: [a]}`, `{"f:l":{"v:\"c\"":{}}}`, nil, `{l: [a, c]}`},
		"nothing that is nobody's": {
			`{l: [{name: a}, {name: b}]}`, `{l: [{name: a}]}`, `{"f:other":{}}`, nil,
			`{l: [{name: a}]}`,
		},
		"nothing that is not there": {`{l: []}`, `{l: [{name: a}]}`, `{"f:l":{"k:{\"name\":\"b\"}":{}}}`, nil, `{l: [{name: a}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			others := &fieldpath.Set{}
			if err := others.FromJSON(strings.NewReader(test.others)); err != nil {
				t.Fatal(err)
			}
			live, desired := object(t, test.live).Object, object(t, test.desired).Object
			got := Replacement(schema.GroupKind{}, live, desired, Keeping{Others: others, Whole: test.whole})
			if diff := cmp.Diff(object(t, test.want).Object, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(object(t, test.live).Object, live) + cmp.Diff(object(t, test.desired).Object, desired); diff != "" {
				t.Errorf("an argument was modified:\n%s", diff)
			}
		})
	}
}

func TestKeepingWithout(t *testing.T) {
	all := Keeping{Others: &fieldpath.Set{}}
	less := all.Without([]string{"spec.template.spec.volumes[0].hostPath", "spec.x", "spec.l[name].m[1].y"})
	if want := []string{"spec.template.spec.volumes", "spec.l.m"}; !slices.Equal(less.Whole, want) || less.Others == nil {
		t.Errorf("got %q", less.Whole)
	}
	if none := less.Without([]string{"spec.template.spec.volumes[3]", "spec"}); none.Others != nil {
		t.Error("it would be the same again")
	}
}
