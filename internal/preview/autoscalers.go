package preview

import (
	"slices"
	"sync"

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
	replicas := p.replicas()
	for i := range parsed.Status.Clusters {
		c := &parsed.Status.Clusters[i]
		if c.Autoscaling == (federate.Autoscaling{}) {
			continue
		}
		template := replicas(c.Name)
		decision := autoscaler.Recall(c.Autoscaling, template, back)
		if said[c.Name] = decision.Says; decision.Leave {
			left = append(left, c.Name)
		}
		if decision.Withheld {
			p.Warnings = append(p.Warnings, "cluster "+c.Name+": "+decision.Says.Withheld(*template))
		}
	}
	slices.Sort(left)
	p.intent = p.intent.LeavingReplicas(left)
	return said
}

// replicas returns what says of clusters which replicas they have as the template and the
// overrides have it; nil where that is none, or cannot be made. Most objects are never asked.
func (p *Preview) replicas() func(cluster string) *int64 {
	renderer := sync.OnceValue(func() *federate.Renderer {
		made, err := p.intent.Renderer(p.Type.RenderTarget())
		if err != nil {
			return nil // which is said where the object is rendered
		}
		return made
	})
	return func(cluster string) *int64 {
		if renderer() == nil {
			return nil
		}
		rendered, err := renderer().For(cluster)
		if err != nil {
			return nil
		}
		return rendered.Replicas
	}
}
