package federate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverlay(t *testing.T) {
	for name, test := range map[string]struct{ live, desired, want string }{
		"what only the cluster has stays": {`{"a":{"x":1,"y":2},"s":3}`, `{"a":{"x":5}}`, `{"a":{"x":5,"y":2},"s":3}`},
		"lists are replaced whole":        {`{"ports":[{"port":81},{"port":82}]}`, `{"ports":[{"port":80}]}`, `{"ports":[{"port":80}]}`},
		"another kind of value":           {`{"a":{"x":1}}`, `{"a":"text"}`, `{"a":"text"}`},
		"an object where there was none":  {`{"a":1}`, `{"a":{"x":1},"b":{"y":2}}`, `{"a":{"x":1},"b":{"y":2}}`},
		"nothing":                         {`{}`, `{}`, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			live, desired := tree(t, []byte(test.live)), tree(t, []byte(test.desired))
			if diff := cmp.Diff(tree(t, []byte(test.want)), Overlay(live, desired)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tree(t, []byte(test.live)), live) + cmp.Diff(tree(t, []byte(test.desired)), desired); diff != "" {
				t.Errorf("an argument was modified:\n%s", diff)
			}
		})
	}
}
