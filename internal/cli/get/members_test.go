package get

import (
	"maps"
	"testing"
)

func TestClustersAreAllNamesOrASelector(t *testing.T) {
	for clusters, want := range map[string]map[string]string{
		"all":               {},
		"a":                 {"clusters": "a"},
		"eu-1,us.2":         {"clusters": "eu-1,us.2"},
		"region=eu":         {"clusterSelector": "region=eu"},
		"region in (eu,us)": {"clusterSelector": "region in (eu,us)"},
		"!old":              {"clusterSelector": "!old"},
	} {
		if got, err := parametersOf(clusters, false); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v %v", clusters, got, err)
		}
	}
	for _, clusters := range []string{"A=(", "a,,b=", "a/b/c", "a&b"} {
		if got, err := parametersOf(clusters, false); err == nil {
			t.Errorf("%s: %v", clusters, got)
		}
	}
	if got, err := parametersOf("all", true); err != nil || got["require"] != "all" {
		t.Errorf("%v %v", got, err)
	}
}
