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

// DecideReplicas decides of a cluster that has the object, by the autoscalers that are found
// there, and makes anew what it is sent. scaled: somebody else than the federation has set the
// replicas that it has. It says whether they are the cluster's then.
func (p *Preview) DecideReplicas(cluster *Cluster, found autoscaler.Found, scaled bool) (left bool) {
	in := autoscaler.Input{Found: found, Before: cluster.Autoscaling, Template: cluster.Rendered.Replicas, There: true, Scaled: scaled}
	decision := autoscaler.Decide(in)
	if !decision.Leave {
		return false
	}
	renderer, err := p.intent.LeavingReplicas([]string{cluster.Cluster}).Renderer(p.Type.RenderTarget())
	if err != nil {
		return false // which is said where the object is rendered
	}
	cluster.Autoscaling = decision.Says
	cluster.Err = cluster.render(renderer)
	return cluster.Err == nil
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
