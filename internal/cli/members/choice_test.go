package members

import (
	"maps"
	"testing"
)

func TestClustersAreAllNamesOrASelector(t *testing.T) {
	for clusters, want := range map[string]map[string]string{
		"all":               {},
		"a":                 {"clusters": "a"},
		"us.2,eu-1,us.2":    {"clusters": "eu-1,us.2"},
		"region=eu":         {"clusterSelector": "region=eu"},
		"region in (eu,us)": {"clusterSelector": "region in (eu,us)"},
		"!old":              {"clusterSelector": "!old"},
	} {
		choice, err := ParseChoice(clusters)
		if err != nil {
			t.Errorf("%s: %v", clusters, err)
		} else if got := choice.Parameters(); !maps.Equal(got, want) {
			t.Errorf("%s: %v", clusters, got)
		}
	}
	for _, clusters := range []string{"", "A=(", "a,,b=", "a/b/c", "a&b"} {
		if got, err := ParseChoice(clusters); err == nil && clusters != "" {
			t.Errorf("%s: %v", clusters, got)
		}
	}
}

func TestAChoiceHasItsMembers(t *testing.T) {
	eu := map[string]string{"region": "eu"}
	for _, c := range []struct {
		clusters, name string
		labels         map[string]string
		want           bool
	}{
		{"all", "a", nil, true},
		{"a,b", "b", nil, true},
		{"a,b", "c", eu, false},
		{"region=eu", "c", eu, true},
		{"region=eu", "c", nil, false},
		{"!old", "c", nil, true},
	} {
		choice, err := ParseChoice(c.clusters)
		if err != nil || choice.Has(c.name, c.labels) != c.want {
			t.Errorf("%s has %s %v: not %v (%v)", c.clusters, c.name, c.labels, c.want, err)
		}
	}
}
