package preview

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/placement"
	"github.com/fedctl/fedctl/pkg/policy"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/workload"
)

// Preview is what becomes of one federated object.
type Preview struct {
	Type            typeconfig.Type
	Namespace, Name string
	// Problem is why nothing is decided or nothing sent anywhere; empty if there is none.
	Problem string
	// Warnings say what in the object has no effect.
	Warnings []string
	// Clusters are all that have joined or are named, sorted by name.
	Clusters []Cluster

	// Exact says that what others add to the content of the members' objects is taken back.
	Exact bool
	// DeleteOptions are for deletions in the members; DeleteOptionsError is why there are none.
	DeleteOptions      *metav1.DeleteOptions
	DeleteOptionsError *federate.ParseError

	// Source is the federated object. It is not to be modified.
	Source *unstructured.Unstructured

	intent federate.Intent
}

// Cluster is what one cluster gets.
type Cluster struct {
	placement.Verdict

	// Object is what is sent; nil when the cluster is not selected or Err is set.
	Object *unstructured.Unstructured
	// Rendered is the same, as the controller's applier is given it.
	Rendered federate.Rendered
	// Autoscaling is what autoscalers in the cluster mean for it, as the status says.
	Autoscaling federate.Autoscaling
	// Notes say what the user should know of it.
	Notes []string
	// Pods is how many pods it asks for; nil where nothing in it tells.
	Pods *int64
	// Err is why the object cannot be made for this cluster.
	Err error
}

// NotFederatedError says that an object is of no type that is enabled.
type NotFederatedError struct{ Kind string }

// Error implements error.
func (e NotFederatedError) Error() string {
	return e.Kind + " is not the kind of a federated type that is enabled"
}

// Of returns what the controller makes of a federated object. The error is for an object
// that is none; what is wrong with one that is, the Preview says.
func (f *Facts) Of(object *unstructured.Unstructured) (*Preview, error) {
	t, found := f.typeOf(object.GroupVersionKind())
	if !found {
		return nil, NotFederatedError{object.GetKind()}
	}
	p := &Preview{Source: object, Type: t, Namespace: object.GetNamespace(), Name: object.GetName()}
	parsed, err := federate.Parse(object)
	var fault *federate.ParseError
	if err != nil && !errors.As(err, &fault) {
		return nil, err
	}
	ownership, _ := federate.OwnershipOf(t.Target.GVK.GroupKind(), t.Ownership, parsed.Ownership)
	p.Exact = ownership == federate.Exact
	p.DeleteOptions, p.DeleteOptionsError = parsed.DeleteOptions, parsed.DeleteOptionsError
	p.intent = f.changed(t, parsed, federate.IntentOf(parsed, fault, nil))
	scaled := p.recallAutoscalers(parsed)
	var decision placement.Decision
	decision, p.Problem = f.place(t, p.intent)
	if withdrawn := f.withdrawn(t, parsed); withdrawn != "" {
		p.Problem = withdrawn
		if !parsed.Deleting { // no cluster has it, wherever it is placed
			decision.Verdicts = nil
		}
	}
	renderer, err := p.intent.Renderer(t.RenderTarget())
	if err != nil && p.Problem == "" {
		p.Problem = err.Error()
	}
	if renderer != nil {
		p.Warnings = append(p.Warnings, renderer.Warnings()...)
	}
	p.Warnings = append(p.Warnings, f.overridesInVain(parsed)...)
	for _, verdict := range decision.Verdicts {
		cluster := Cluster{Verdict: verdict}
		if verdict.Selected && renderer != nil {
			cluster.Autoscaling = scaled[verdict.Cluster]
			cluster.Err = cluster.render(renderer)
			cluster.count(f.kinds, t)
		}
		p.Clusters = append(p.Clusters, cluster)
	}
	return p, nil
}

// overridesInVain says which overrides are for clusters that have not joined.
func (f *Facts) overridesInVain(o *federate.Object) (warnings []string) {
	for i := range o.Overrides {
		if name := o.Overrides[i].ClusterName; !slices.ContainsFunc(f.clusters, func(c fedcorev1beta1.KubeFedCluster) bool { return c.Name == name }) {
			warnings = append(warnings, fmt.Sprintf("spec.overrides[%d].clusterName: no cluster %q has joined", i, name))
		}
	}
	return warnings
}

// changed is an intent as the policies make it.
func (f *Facts) changed(t typeconfig.Type, o *federate.Object, intent federate.Intent) federate.Intent {
	object := policy.NewObject(f.kinds, t.Target.GVK.GroupKind(), o.Namespace, o.Name, o.Labels)
	return intent.Beneath(policy.Layers(f.policies, object, o.Template, f.fleet)...)
}

// render makes the object of the cluster.
func (c *Cluster) render(renderer *federate.Renderer) (err error) {
	if c.Rendered, err = renderer.For(c.Cluster); err != nil {
		return err
	}
	data := c.Rendered.JSON
	if c.Rendered.Initial != nil && !c.Autoscaling.LeavesReplicas() {
		data = c.Rendered.Initial // what an object begins with
	}
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(data, &object.Object); err != nil {
		return err
	}
	c.Object, c.Notes = object, c.Rendered.Notes
	if says := c.Autoscaling.Says(); says != "" {
		c.Notes = append(slices.Clone(c.Notes), says)
	}
	return nil
}

// count counts the pods that the object asks for.
func (c *Cluster) count(kinds *workload.Kinds, t typeconfig.Type) {
	if c.Object == nil {
		return
	}
	if pods, known := kinds.Pods(t.Target.GVK.GroupKind(), c.Object.Object); known {
		c.Pods = &pods
	}
}

// place decides where an object goes, and says why it cannot be decided.
func (f *Facts) place(t typeconfig.Type, intent federate.Intent) (placement.Decision, string) {
	if intent.Fault.PlacementUnknown() {
		return placement.Decision{}, intent.Fault.Error()
	}
	in := placement.Input{Placement: intent.Bounds.Placement, Namespaced: t.Target.Namespaced, LimitedScope: f.limitedTo != "", Clusters: f.joined()}
	if t.Target.Namespaced {
		if !f.namespacesFederated && f.limitedTo == "" {
			return placement.Decision{}, federate.NamespacesNotEnabled
		}
		if object := f.namespaces[intent.Namespace]; object != nil {
			around, err := federate.Parse(object)
			var fault *federate.ParseError
			if errors.As(err, &fault) && fault.PlacementUnknown() {
				return placement.Decision{}, fmt.Sprintf("%s %s/%s: %v", object.GetKind(), object.GetNamespace(), object.GetName(), fault)
			}
			in.Namespace = &around.Placement
		}
	}
	decision, err := placement.Decide(in)
	if err != nil {
		return placement.Decision{}, err.Error()
	}
	if decision.NamespaceNotFederated {
		return decision, federate.NamespaceNotFederatedMessage(intent.Namespace)
	}
	return decision, ""
}

// withdrawn says why the controller leaves an object alone; empty if it does not.
func (f *Facts) withdrawn(t typeconfig.Type, o *federate.Object) string {
	switch {
	case o.Deleting:
		return "it is being deleted"
	case t.IsNamespace && federate.IsSystemNamespace(o.Name, f.kubeFedNamespace):
		return federate.SystemNamespaceMessage(o.Name)
	case f.limitedTo != "" && t.Federated.Namespaced && o.Namespace != f.limitedTo:
		return "the control plane federates the namespace " + f.limitedTo + " alone"
	}
	return ""
}

func (f *Facts) joined() []placement.Cluster {
	clusters := make([]placement.Cluster, len(f.clusters))
	for i := range f.clusters {
		clusters[i] = placement.Cluster{Name: f.clusters[i].Name, Labels: f.clusters[i].Labels, Ready: reach.IsReady(&f.clusters[i])}
	}
	return clusters
}

// Asked says that the object asks for the cluster, whether or not it gets there.
func (c Cluster) Asked() bool {
	switch c.Reason {
	case placement.ReasonNotJoined, placement.ReasonNamespaceNotFederated, placement.ReasonNamespaceNotPlaced:
		return true
	}
	return c.Selected
}

// SameAs says whether every cluster gets the same as in another preview of the object.
func (p *Preview) SameAs(other *Preview) bool {
	return p.Problem == other.Problem && slices.EqualFunc(p.Clusters, other.Clusters, func(a, b Cluster) bool {
		return a.Cluster == b.Cluster && a.Selected == b.Selected && a.Reason == b.Reason && bytes.Equal(a.Rendered.JSON, b.Rendered.JSON) && bytes.Equal(a.Rendered.Initial, b.Rendered.Initial) &&
			(a.Err == nil) == (b.Err == nil)
	})
}

// TargetKey names the object in the members.
func (p *Preview) TargetKey() types.NamespacedName {
	return p.Type.TargetKey(types.NamespacedName{Namespace: p.Namespace, Name: p.Name})
}

// Holds says whether the status of the federated object names the cluster as one that has, or
// may have, the object and is to lose it: not one that keeps what no placement has selected.
func (p *Preview) Holds(cluster string) bool {
	reported, _, _ := unstructured.NestedSlice(p.Source.Object, "status", "clusters")
	return slices.ContainsFunc(reported, func(item any) bool {
		c, _ := item.(map[string]any)
		return c["name"] == cluster && c["status"] != string(federate.NotSelected)
	})
}
