package explain

import "testing"

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		field, outer string
		want         bool
	}{
		{"spec.replicas", "spec.replicas", true},
		{"spec.replicas", "spec", true},
		{"spec.replicasets", "spec.replicas", false},
		{"spec", "spec.replicas", false},
		{"metadata.annotations[example.com/team]", "metadata.annotations", true},
		{"spec.containers[name=web].env[name=A].value", "spec.containers[name=web]", true},
		{"spec.containers[name=web].image", "spec.containers[name=log]", false},
		{"spec.containers[name=web].image", "spec.containers[1].image", true}, // it may be the second
		{"spec.args[1]", "spec.args[1]", true},
		{"spec.args[0]", "spec.args[1]", false},
		{"metadata.annotations[example.com/team]", "metadata.annotations[0]", false},
	} {
		if got := within(test.field, test.outer); got != test.want {
			t.Errorf("%s within %s: %t", test.field, test.outer, got)
		}
	}
}
