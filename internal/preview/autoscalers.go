package preview

import (
	"slices"

	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/federate"
)

// recallAutoscalers leaves the replicas to those clusters where, as the status of the object
// says, an autoscaler decides on them, and returns what there is to say of each.
func (p *Preview) recallAutoscalers(parsed *federate.Object) map[string]federate.Autoscaling {
	if parsed.RetainReplicas {
		return nil
	}
	back, _ := federate.AfterAutoscalerOf(parsed.AfterAutoscaler)
	said := map[string]federate.Autoscaling{}
	var left []string
	for i := range parsed.Status.Clusters {
		c := &parsed.Status.Clusters[i]
		if c.Autoscaling == (federate.Autoscaling{}) {
			continue
		}
		next, leave := autoscaler.Recall(c.Autoscaling, p.replicasIn(c.Name), back)
		if said[c.Name] = next; leave {
			left = append(left, c.Name)
		}
	}
	slices.Sort(left)
	p.intent = p.intent.LeavingReplicas(left)
	return said
}

// replicasIn are the replicas of a cluster as the template and the overrides have them.
func (p *Preview) replicasIn(cluster string) *int64 {
	renderer, err := p.intent.Renderer(p.Type.RenderTarget())
	if err != nil {
		return nil
	}
	rendered, err := renderer.For(cluster)
	if err != nil {
		return nil
	}
	return rendered.Replicas
}
