package logs

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/internal/cli/members"
)

// That it is not all, or none, is said.
func TestContainersThatAreReadAndWhatIsSaidOfTheOthers(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "two"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}, {Name: "side"}}}}
	single := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "one"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}}
	for name, c := range map[string]struct {
		options Options
		pod     *corev1.Pod
		want    []string
		said    string
	}{
		"the only one":     {Options{}, single, []string{"main"}, ""},
		"the first of two": {Options{}, pod, []string{"main"}, "containers main, side it is the log of main"},
		"all":              {Options{AllContainers: true}, pod, []string{"main", "side"}, ""},
		"a named one":      {Options{Container: "side"}, pod, []string{"side"}, ""},
		"no such one":      {Options{Container: "nosuch"}, pod, nil, "pod two of oslo has no container nosuch, but main, side"},
	} {
		var said strings.Builder
		got := c.options.choose("oslo", c.pod, members.NewNotes(&said))
		if !slices.Equal(got, c.want) || !strings.Contains(said.String(), c.said) || c.said == "" && said.Len() > 0 {
			t.Errorf("%s: %v, %q", name, got, said.String())
		}
	}
}
