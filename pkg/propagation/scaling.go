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
	// withheld are the template's numbers that wait for an answer, by cluster.
	withheld map[string]int64
}

// scalingOf is what a status tells.
func scalingOf(status federate.Status) *scaling {
	s := &scaling{in: map[string]federate.Autoscaling{}}
	for i := range status.Clusters {
		c := &status.Clusters[i]
		if c.Autoscaling == (federate.Autoscaling{}) {
			continue
		}
		s.in[c.Name] = c.Autoscaling
		if c.Autoscaling.LeavesReplicas() {
			s.left = append(s.left, c.Name)
		}
	}
	slices.Sort(s.left)
	return s
}

// same says whether two decisions are alike.
func (s *scaling) same(other *scaling) bool {
	return maps.Equal(s.in, other.in) && slices.Equal(s.left, other.left) && maps.Equal(s.withheld, other.withheld)
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

// notSent says of which clusters the template has a number that they are not sent.
func (s *scaling) notSent() (faults []string) {
	for _, cluster := range slices.Sorted(maps.Keys(s.withheld)) {
		faults = append(faults, "cluster "+cluster+": "+s.in[cluster].Withheld(s.withheld[cluster]))
	}
	return faults
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
	before, after := acc.scaling.Load(), &scaling{}
	if !fed.RetainReplicas && d.concerns(t, fed) {
		after = d.among(t, key, fed, acc, intent, clusters)
	}
	if !before.same(after) {
		acc.scaling.Store(after)
	}
}

// among decides for the clusters that have the object.
func (d *scalingDecider) among(t *runningType, key types.NamespacedName, fed *federated, acc *account, intent federate.Intent, clusters []string) *scaling {
	back, _ := federate.AfterAutoscalerOf(fed.AfterAutoscaler)
	back = back || d.scheduled != nil && d.scheduled(t.Name, key)
	before, after := acc.scaling.Load(), &scaling{in: map[string]federate.Autoscaling{}, withheld: map[string]int64{}}
	template := acc.templateReplicas(t, intent)
	for _, cluster := range clusters {
		in, decides := d.inCluster(t, key, cluster, before)
		if decides {
			number, err := template(cluster)
			in.Template, in.Back = number, back
			decides = err == nil // otherwise nothing is sent
		}
		if !decides {
			after.keep(cluster, before)
			continue
		}
		decision := autoscaler.Decide(in)
		if says := decision.Says.Bounded(); says != (federate.Autoscaling{}) {
			after.in[cluster] = says
		}
		if decision.Leave {
			after.left = append(after.left, cluster)
		}
		if decision.Withheld {
			after.withheld[cluster] = *in.Template
		}
	}
	slices.Sort(after.left)
	return after
}

// keep leaves a cluster as it was decided before.
func (s *scaling) keep(cluster string, before *scaling) {
	if says, said := before.in[cluster]; said {
		s.in[cluster] = says
	}
	if before.leaves(cluster) {
		s.left = append(s.left, cluster)
	}
	if number, withheld := before.withheld[cluster]; withheld {
		s.withheld[cluster] = number
	}
}

// concerns says whether autoscalers are followed for a type, or are from now on, because
// replicas of the object are sent.
func (d *scalingDecider) concerns(t *runningType, fed *federated) bool {
	if d.autoscalers.needed(t.Name) {
		return true
	}
	if d.needs(t, fed) {
		d.autoscalers.follow(t.Name)
		return true
	}
	return d.autoscalers.follows(t.Name)
}

// needs says whether replicas of an object are sent, or may be.
func (d *scalingDecider) needs(t *runningType, fed *federated) bool {
	return !fed.RetainReplicas && (fed.SetsReplicas() || t.kinds.get().Has(t.Target.GVK.GroupKind()) && d.placer.policies.selected(t, fed))
}

// forgetUnneeded is called from time to time. Autoscalers are no longer followed for a type of
// which, twice in a row, there is no object that has replicas; it returns those types.
func (d *scalingDecider) forgetUnneeded(all []*runningType) (forgotten []*runningType) {
	for _, t := range all {
		if !d.autoscalers.follows(t.Name) || !t.federated.Synced() {
			continue
		}
		needed := slices.ContainsFunc(t.federated.Keys(""), func(key types.NamespacedName) bool {
			fed := t.federated.Get(key)
			return fed != nil && d.needs(t, fed)
		})
		if !needed && d.autoscalers.unneeded(t.Name) {
			forgotten = append(forgotten, t)
		}
	}
	return forgotten
}

// inCluster gathers what is known of an object in a cluster; decides is unset where it stays as
// it was decided before.
func (d *scalingDecider) inCluster(t *runningType, key types.NamespacedName, cluster string, before *scaling) (in autoscaler.Input, decides bool) {
	in.Before = before.in[cluster]
	if info, joined := d.lookout.inventory.Info(cluster); !joined || !info.Ready {
		in.Away, in.RequestsUnknown = true, true // what is there nobody knows
		return in, joined && info.Probed && in.Before.LeavesReplicas()
	}
	target := t.TargetKey(key)
	in.Found = d.autoscalers.of(cluster, t.Target.GVK.GroupKind(), target)
	_, watch := d.lookout.members.Get(cluster, t.Name)
	known, listed := watch.Look(target)
	in.There = known != nil || !listed
	in.Scaled = known != nil && known.Scaled
	return in, in.Before != (federate.Autoscaling{}) || len(in.Replicas)+len(in.Requests) > 0 || in.Scaled || before.leaves(cluster)
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

// templateReplicas returns what says of clusters which replicas they have as the template and
// the overrides have it. It is called for the host's item.
func (a *account) templateReplicas(t *runningType, intent federate.Intent) func(cluster string) (*int64, error) {
	if a.replicasOf != intent.Revision() {
		a.replicas, a.replicasOf = map[string]*int64{}, intent.Revision()
	}
	var renderer *federate.Renderer // of all clusters, while it is needed
	return func(cluster string) (*int64, error) {
		if number, known := a.replicas[cluster]; known {
			return number, nil
		}
		if renderer == nil {
			made, err := intent.Renderer(t.RenderTarget())
			if err != nil {
				return nil, err
			}
			renderer = made
		}
		rendered, err := renderer.For(cluster)
		if err != nil {
			return nil, err
		}
		a.replicas[cluster] = rendered.Replicas
		return rendered.Replicas, nil
	}
}

// sendsReplicas says whether the template's number is sent to a cluster of which it was decided
// what is sent. It is called for the host's item.
func (a *account) sendsReplicas(cluster string) bool {
	return a.replicas[cluster] != nil && !a.scaling.Load().leaves(cluster)
}

// Reasons of events about autoscalers.
const (
	reasonLeft        = "ReplicasLeftToAutoscaler"
	reasonGone        = "AutoscalerGone"
	reasonUnreadable  = "AutoscalersUnreadable"
	reasonFromAgainOn = "ReplicasOfTemplate"
)

// reasonNotSent is that of the condition Accepted where a number of the template waits until
// autoscalers can be read.
const reasonNotSent = "ReplicasNotSent"

// sayScaling adds to the outcomes what autoscalers mean, and returns an event for each cluster
// where that is news. changed says that replicas have become a cluster's, or no longer are;
// sends, that the template's are what a cluster is sent. Where the replicas are no longer an
// autoscaler's because the object has left the cluster, or keeps its replicas in all of them, or
// has none, there is nothing to tell: whoever has done that knows it.
func sayScaling(s *scaling, outcomes []federate.Outcome, before federate.Status, sends func(cluster string) bool) (news []warning, changed bool) {
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
		changed = true
		says := o.Autoscaling.Says()
		switch o.Autoscaling.Replicas {
		case federate.ReplicasAutoscaled:
			news = append(news, warning{o.Cluster, reasonLeft, fmt.Sprintf("cluster %s: %s", o.Cluster, says)})
		case federate.ReplicasKept:
			news = append(news, warning{o.Cluster, reasonGone, fmt.Sprintf("cluster %s: %s", o.Cluster, says)})
		case federate.ReplicasUnreadable:
			news = append(news, warning{o.Cluster, reasonUnreadable, fmt.Sprintf("cluster %s: %s", o.Cluster, says)})
		default:
			if sends(o.Cluster) {
				news = append(news, warning{o.Cluster, reasonFromAgainOn, fmt.Sprintf("cluster %s: the replicas are the template's again", o.Cluster)})
			}
		}
	}
	return news, changed
}
