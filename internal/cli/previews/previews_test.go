package previews

import (
	"testing"

	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/placement"
)

func TestNamesOfClusters(t *testing.T) {
	berlin := preview.Cluster{Verdict: placement.Verdict{Cluster: "berlin"}}
	for name, test := range map[string]struct {
		preview preview.Preview
		refused bool
	}{
		"one that has joined":            {preview: preview.Preview{Clusters: []preview.Cluster{berlin}}},
		"one that has not":               {preview: preview.Preview{}, refused: true},
		"one, and nothing is decided":    {preview: preview.Preview{Problem: "the placement cannot be read"}},
		"another, and nothing is sent":   {preview: preview.Preview{Problem: "it is being deleted", Clusters: []preview.Cluster{{Verdict: placement.Verdict{Cluster: "oslo"}}}}, refused: true},
		"one, though something is amiss": {preview: preview.Preview{Problem: "it is being deleted", Clusters: []preview.Cluster{berlin}}},
	} {
		o := &Options{Clusters: []string{"berlin"}}
		if err := o.checkClusters([]*preview.Preview{&test.preview}); (err != nil) != test.refused {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
