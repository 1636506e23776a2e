package federate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestReplacement(t *testing.T) {
	for name, test := range map[string]struct{ live, desired, want string }{
		"what only the cluster has stays": {`{"a":{"x":1,"y":2},"s":3}`, `{"a":{"x":5}}`, `{"a":{"x":5,"y":2},"s":3}`},
		"lists are replaced whole":        {`{"ports":[{"port":81},{"port":82}]}`, `{"ports":[{"port":80}]}`, `{"ports":[{"port":80}]}`},
		"another kind of value":           {`{"a":{"x":1}}`, `{"a":"text"}`, `{"a":"text"}`},
		"an object where there was none":  {`{"a":1}`, `{"a":{"x":1},"b":{"y":2}}`, `{"a":{"x":1},"b":{"y":2}}`},
		"nothing":                         {`{}`, `{}`, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			live, desired := tree(t, []byte(test.live)), tree(t, []byte(test.desired))
			if diff := cmp.Diff(tree(t, []byte(test.want)), Replacement(schema.GroupKind{}, live, desired, Keeping{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tree(t, []byte(test.live)), live) + cmp.Diff(tree(t, []byte(test.desired)), desired); diff != "" {
				t.Errorf("an argument was modified:\n%s", diff)
			}
		})
	}
}

func TestHolds(t *testing.T) {
	for name, test := range map[string]struct {
		live, desired string
		want          bool
	}{
		"what only the cluster has":       {`{"a":{"x":1,"y":2},"s":3}`, `{"a":{"x":1}}`, true},
		"defaults in a list's items":      {`{"ports":[{"port":80,"protocol":"TCP"}]}`, `{"ports":[{"port":80}]}`, true},
		"nothing":                         {`{"a":1}`, `{}`, true},
		"an empty object that is there":   {`{"a":{"x":1}}`, `{"a":{}}`, true},
		"another value":                   {`{"a":{"x":1}}`, `{"a":{"x":2}}`, false},
		"a field that is missing":         {`{"a":{"x":1}}`, `{"a":{"z":1}}`, false},
		"an object that is missing":       {`{}`, `{"a":{}}`, false},
		"null where there is nothing":     {`{}`, `{"a":null}`, false},
		"an item more in the cluster":     {`{"l":["a","b"]}`, `{"l":["a"]}`, false},
		"an item less in the cluster":     {`{"l":["a"]}`, `{"l":["a","b"]}`, false},
		"another order":                   {`{"l":["b","a"]}`, `{"l":["a","b"]}`, false},
		"another value in a list's item":  {`{"l":[{"p":1,"q":2}]}`, `{"l":[{"p":2}]}`, false},
		"another kind of value":           {`{"a":"1","b":[1],"c":{"x":1}}`, `{"a":1}`, false},
		"a list where there is an object": {`{"a":{"0":1}}`, `{"a":[1]}`, false},
		"an object where there is a list": {`{"a":[1]}`, `{"a":{"0":1}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Holds(tree(t, []byte(test.live)), tree(t, []byte(test.desired))); got != test.want {
				t.Errorf("Holds = %v, want %v", got, test.want)
			}
		})
	}
}
