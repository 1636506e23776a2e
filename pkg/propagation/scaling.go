package propagation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/federate"
)

// scaling is what autoscalers mean for an object, by cluster, as it was decided last. It is
// replaced, never changed.
type scaling struct {
	in map[string]federate.Autoscaling
	// left are the clusters whose replicas are theirs, sorted.
	left []string
}

func newScaling(in map[string]federate.Autoscaling, left []string) *scaling {
	slices.Sort(left)
	return &scaling{in: in, left: left}
}

// scalingOf is what a status tells.
func scalingOf(status federate.Status) *scaling {
	in := map[string]federate.Autoscaling{}
	var left []string
	for i := range status.Clusters {
		c := &status.Clusters[i]
		if c.Autoscaling == (federate.Autoscaling{}) {
			continue
		}
		in[c.Name] = c.Autoscaling
		if c.Autoscaling.LeavesReplicas() {
			left = append(left, c.Name)
		}
	}
	return newScaling(in, left)
}

// leaves says whether the replicas are a cluster's.
func (s *scaling) leaves(cluster string) bool {
	_, found := slices.BinarySearch(s.left, cluster)
	return found
}

// concerns says whether anything was decided of a cluster.
func (s *scaling) concerns(cluster string) bool {
	_, said := s.in[cluster]
	return said || s.leaves(cluster)
}

// scalingDecider decides whose the replicas of objects are.
type scalingDecider struct {
	autoscalers *autoscalers
	lookout     *lookout
	placer      *placer
	scheduled   func(typeName string, key types.NamespacedName) bool // may be nil
}

// decide decides for an object whose intent is its own, as it is to be in these clusters.
func (d *scalingDecider) decide(t *runningType, key types.NamespacedName, fed *federated, acc *account, intent federate.Intent, clusters []string) {
	before := acc.scaling.Load()
	if fed.RetainReplicas || !d.concerns(t, fed) {
		if len(before.in) > 0 {
			acc.scaling.Store(newScaling(nil, nil))
		}
		return
	}
	back, _ := federate.AfterAutoscalerOf(fed.AfterAutoscaler)
	back = back || d.scheduled != nil && d.scheduled(t.Name, key)
	in, left := map[string]federate.Autoscaling{}, []string(nil)
	for _, cluster := range clusters {
		next, leaves := d.inCluster(t, key, acc, intent, cluster, before, back)
		if next != (federate.Autoscaling{}) {
			in[cluster] = next
		}
		if leaves {
			left = append(left, cluster)
		}
	}
	if after := newScaling(in, left); !maps.Equal(before.in, after.in) || !slices.Equal(before.left, after.left) {
		acc.scaling.Store(after)
	}
}

// concerns says whether autoscalers are followed for a type, or are from now on, because
// replicas of the object are sent.
func (d *scalingDecider) concerns(t *runningType, fed *federated) bool {
	if d.autoscalers.follows(t.Name) {
		return true
	}
	if !fed.SetsReplicas() && (!t.kinds.get().Has(t.Target.GVK.GroupKind()) || !d.placer.policies.selected(t, fed)) {
		return false
	}
	d.autoscalers.follow(t.Name)
	return true
}

func (d *scalingDecider) inCluster(t *runningType, key types.NamespacedName, acc *account, intent federate.Intent, cluster string, before *scaling, back bool) (next federate.Autoscaling, leave bool) {
	was, target := before.in[cluster], t.TargetKey(key)
	if info, joined := d.lookout.inventory.Info(cluster); !joined || !info.Ready {
		return was, before.leaves(cluster) // what is there nobody knows
	}
	input := autoscaler.Input{Found: d.autoscalers.of(cluster, t.Target.GVK.GroupKind(), target), Before: was, Back: back}
	_, watch := d.lookout.members.Get(cluster, t.Name)
	known, listed := watch.Look(target)
	input.There = known != nil || !listed
	input.Scaled = known != nil && known.Scaled
	if was == (federate.Autoscaling{}) && len(input.Replicas)+len(input.Requests) == 0 && !input.Scaled {
		return next, false
	}
	number, err := acc.templateReplicas(t, intent, cluster)
	if err != nil {
		return was, before.leaves(cluster) // nothing is sent
	}
	input.Template = number
	next, leave = autoscaler.Decide(input)
	return next.Bounded(), leave
}

// listingPause is after how long it is looked again whether a member's autoscalers are listed.
const listingPause = 250 * time.Millisecond

// meetsAutoscaler says whether an apply would set replicas that may be an autoscaler's by now:
// the watch on the objects may tell what it has done before another tells of it. The host's item
// decides then, that they are. wait: it is not known yet of an object that the watch does not
// show, which may be there to be taken over. A list that fails is a problem, and no wait.
func (w *memberWorker) meetsAutoscaler(a *attempt) (meets bool, wait time.Duration) {
	found, some := w.foundFor(a)
	switch {
	case !some:
		return false, 0
	case len(found.Replicas) > 0:
		return true, 0
	case a.seen == nil && found.Listing:
		return false, listingPause
	}
	return a.seen != nil && a.seen.Scaled && (found.Listing || found.Unreadable != ""), 0
}

// mayBeScaled says whether an object that the watch does not show, and that may be there to be
// taken over, may have an autoscaler: nobody can tell where they cannot be read.
func (w *memberWorker) mayBeScaled(a *attempt) bool {
	found, some := w.foundFor(a)
	return some && a.seen == nil && found.Unreadable != ""
}

// foundFor are the autoscalers of what is to be applied, where that has replicas.
func (w *memberWorker) foundFor(a *attempt) (found autoscaler.Found, some bool) {
	if a.manifest.Replicas == nil || a.manifest.LeavesReplicas || !w.autoscalers.follows(a.t.Name) {
		return found, false
	}
	return w.autoscalers.of(a.cluster(), a.t.Target.GVK.GroupKind(), a.target), true
}

// templateReplicas are the replicas in a cluster as the template and the overrides have them.
// It is called for the host's item.
func (a *account) templateReplicas(t *runningType, intent federate.Intent, cluster string) (*int64, error) {
	if a.replicasOf != intent.Revision() {
		a.replicas, a.replicasOf = map[string]*int64{}, intent.Revision()
	}
	if number, known := a.replicas[cluster]; known {
		return number, nil
	}
	renderer, err := intent.Renderer(t.RenderTarget())
	if err != nil {
		return nil, err
	}
	rendered, err := renderer.For(cluster)
	if err != nil {
		return nil, err
	}
	a.replicas[cluster] = rendered.Replicas
	return rendered.Replicas, nil
}

// Reasons of events about autoscalers.
const (
	reasonLeft        = "ReplicasLeftToAutoscaler"
	reasonGone        = "AutoscalerGone"
	reasonUnreadable  = "AutoscalersUnreadable"
	reasonFromAgainOn = "ReplicasOfTemplate"
)

// sayScaling adds to the outcomes what autoscalers mean, and returns an event for each
// cluster where that is news.
func sayScaling(s *scaling, outcomes []federate.Outcome, before federate.Status) (news []warning) {
	for i := range outcomes {
		o := &outcomes[i]
		o.Autoscaling = s.in[o.Cluster]
		was := federate.Autoscaling{}
		if said := before.Cluster(o.Cluster); said != nil {
			was = said.Autoscaling
		}
		if was.Replicas == o.Autoscaling.Replicas && was.By == o.Autoscaling.By {
			continue
		}
		says := o.Autoscaling.Says()
		switch o.Autoscaling.Replicas {
		case federate.ReplicasAutoscaled:
			news = append(news, warning{o.Cluster, reasonLeft, fmt.Sprintf("cluster %s: %s", o.Cluster, says)})
		case federate.ReplicasKept:
			news = append(news, warning{o.Cluster, reasonGone, fmt.Sprintf("cluster %s: %s", o.Cluster, says)})
		case federate.ReplicasUnreadable:
			news = append(news, warning{o.Cluster, reasonUnreadable, fmt.Sprintf("cluster %s: %s", o.Cluster, says)})
		default:
			news = append(news, warning{o.Cluster, reasonFromAgainOn, fmt.Sprintf("cluster %s: the replicas are the template's again", o.Cluster)})
		}
	}
	return news
}
