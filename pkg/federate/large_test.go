package federate

import (
	"slices"
	"testing"
)

func TestWrapped(t *testing.T) {
	for name, test := range map[string]struct{ desired, answer, want string }{
		"fits":                   {`{spec: {a: 2147483647, b: -2147483648}}`, `{spec: {a: 1}}`, ""},
		"has 64 bits":            {`{spec: {a: 2147483648}}`, `{spec: {a: 2147483648}}`, ""},
		"has 32 bits":            {`{spec: {a: 2147483648}}`, `{spec: {a: -2147483648}}`, "spec.a: 2147483648 is too large: the cluster would make -2147483648 of it"},
		"is below":               {`{spec: {a: -99999999999}}`, `{spec: {a: -1215752191}}`, "spec.a: -99999999999 is too large: the cluster would make -1215752191 of it"},
		"is a quantity":          {`{spec: {a: 1000000000000}}`, `{spec: {a: 1T}}`, ""},
		"is text":                {`{spec: {a: 1000000000000}}`, `{spec: {a: other}}`, ""},
		"is gone":                {`{spec: {a: 1000000000000}}`, `{}`, ""},
		"is in a list":           {`{spec: {p: [{a: 1}, {a: 4294967376}]}}`, `{spec: {p: [{a: 5}, {a: 80}, {a: 1}]}}`, "spec.p[].a: 4294967376 is too large: the cluster would make 1 of it"},
		"is in a list of others": {`{spec: {p: [{a: 4294967376}]}}`, `{spec: {p: [{a: 5}, {a: 4294967376}]}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Wrapped(object(t, test.answer).Object, LargeIn(object(t, test.desired).Object)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if got := LargeIn(object(t, `{b: 2147483648, a: [2147483649]}`).Object); !slices.Equal(got, []Large{{".a[]", 2147483649}, {".b", 2147483648}}) {
		t.Errorf("got %v", got)
	}
}
