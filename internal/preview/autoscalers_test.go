package preview

import (
	"slices"
	"testing"

	"github.com/fedctl/fedctl/pkg/federate"
)

// What the status says of autoscalers holds for who previews, and so does what is not sent.
func TestRecallAutoscalers(t *testing.T) {
	p := previewOf(t, host, web+`status:
  clusters:
  - {name: oslo, autoscaling: {replicas: Unreadable, templateReplicas: 2, message: no right}}
`)
	want := "cluster oslo: spec.replicas: 5 of the template is not sent, which was 2 when the replicas were left: it is not known whether an autoscaler decides on them: no right"
	if !slices.Contains(p.Warnings, want) {
		t.Errorf("warnings: %q", p.Warnings)
	}
	found := slices.IndexFunc(p.Clusters, func(c Cluster) bool { return c.Cluster == "oslo" })
	if found < 0 || p.Clusters[found].Autoscaling.Replicas != federate.ReplicasUnreadable {
		t.Fatalf("%+v", p.Clusters)
	}
	spec, _ := p.Clusters[found].Object.Object["spec"].(map[string]any)
	if _, sent := spec["replicas"]; sent {
		t.Errorf("it is sent: %v", spec)
	}
}
