package analysis

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"

	"github.com/fedctl/fedctl/internal/finding"
)

// stuckAfter is how long a deletion may take before it is called stuck.
const stuckAfter = 10 * time.Minute

// Objects is what was found of one federated type. Objects are judged one by one
// and let go, since a host may hold more than fits into memory. The zero value is
// not usable; call NewObjects.
type Objects struct {
	// Count is the number of objects, NotPropagated of those whose condition
	// Propagation is not True, and Held of those with the finalizer of propagation.
	Count, NotPropagated, Held int

	findings  []finding.Finding
	index     map[string]int
	subject   string
	target    *federate.Target // nil for a type without a FederatedTypeConfig
	clusters  []string
	served    Served
	now       time.Time
	published *definition.Published
}

// Judge has what clusters get judged by what the host publishes of the target.
func (o *Objects) Judge(published *definition.Published) { o.published = published }

// NewObjects prepares to judge the objects of the federated type whose CRD is
// named subject. target is what it federates, nil if no FederatedTypeConfig says;
// clusters are the names of the joined clusters.
func NewObjects(subject string, target *federate.Target, clusters []string, served Served, now time.Time) *Objects {
	return &Objects{subject: subject, target: target, clusters: clusters, served: served, now: now, index: map[string]int{}}
}

// Add judges one object. It is not kept.
func (o *Objects) Add(u *unstructured.Unstructured) {
	o.Count++
	if slices.Contains(u.GetFinalizers(), federate.Finalizer) {
		o.Held++
	}
	name := strings.TrimPrefix(u.GetNamespace()+"/"+u.GetName(), "/")
	if deleted := u.GetDeletionTimestamp(); deleted != nil && o.now.Sub(deleted.Time) > stuckAfter {
		o.find(finding.Warning, "deletion-stuck", name,
			"deletion began more than "+stuckAfter.String()+" ago and has not ended: a member does not answer, or nobody removes the finalizer",
			"after the move see \"fedctl status\"; it names the cluster that is waited for and the command that ends the wait")
	}
	if o.target == nil {
		return
	}
	object, err := federate.Parse(u)
	if err != nil {
		o.find(finding.Blocks, "object-unreadable", name, err.Error(), "mend the field")
	}
	if reason, bad := notPropagated(u); bad {
		o.NotPropagated++
		o.find(finding.Note, "not-propagated", name, "KubeFed has not propagated it everywhere: "+reason,
			"after the move \"fedctl status -o wide\" says why")
	}
	o.unknownClusters(object, name)
	if err == nil {
		o.render(object, name)
	}
}

// render makes the object for each cluster as the controller will.
func (o *Objects) render(object *federate.Object, name string) {
	if gvk := templateKind(object.Template, o.target.GVK); gvk != o.target.GVK && o.served.lacks(gvk) {
		o.find(finding.Warning, "template-version-gone", name, fmt.Sprintf("spec.template: the host does not serve %s %s%s", gvk.GroupVersion(), gvk.Kind, goneSince(gvk)),
			"set spec.template.apiVersion to "+o.target.GVK.GroupVersion().String()+" and adapt the template, or leave apiVersion out")
		return
	}
	renderer, err := federate.NewRenderer(object, *o.target)
	if err != nil {
		o.find(finding.Blocks, "template-refused", name, err.Error(), "mend the field; KubeFed may send it as it is, fedctl does not")
		return
	}
	for _, warning := range renderer.Warnings() {
		o.find(finding.Note, "partly-ignored", name, warning, "")
	}
	rendered, err := renderer.For("")
	if err != nil {
		o.find(finding.Blocks, "template-refused", name, err.Error(), "mend the field; KubeFed may send it as it is, fedctl does not")
		return
	}
	ofTemplate := o.content(rendered)
	o.unknownFields("spec.template", ofTemplate, name)
	for _, wrong := range ofTemplate.wrong {
		o.find(finding.Warning, "wrong-type", name, "spec.template."+wrong, "mend the template: "+refusedEverywhere)
	}
	o.unwritable(object, name)
	for i := range object.Overrides {
		cluster := object.Overrides[i].ClusterName
		if cluster == "" || !slices.Contains(o.clusters, cluster) {
			continue
		}
		rendered, err := renderer.For(cluster)
		if err != nil {
			o.find(finding.Blocks, "override-refused", name, err.Error(),
				"mend the override; until then fedctl leaves the object in that cluster as it is (ApplyOverridesFailed)")
			continue
		}
		there := o.content(rendered)
		o.unknownFields("what is for cluster "+cluster, there, name)
		for _, wrong := range there.wrong {
			if !slices.Contains(ofTemplate.wrong, wrong) {
				o.find(finding.Warning, "wrong-type", name, fmt.Sprintf("spec.overrides[%d] makes what cluster %s refuses: %s", i, cluster, wrong),
					"mend the override: the cluster does not take it, under KubeFed or fedctl")
			}
		}
	}
}

// refusedEverywhere is what comes of a template with a value of the wrong type.
const refusedEverywhere = "no cluster takes it, under KubeFed or fedctl, and after the move neither does the schema of the federated type when the template is written"

// content is what is odd in an object as a cluster gets it.
type content struct {
	// unknown are fields that the host does not know, wrong those whose values are of
	// another type.
	unknown, wrong []string
}

func (o *Objects) content(rendered federate.Rendered) content {
	object := map[string]any{}
	if o.published == nil || json.Unmarshal(rendered.JSON, &object) != nil {
		return content{}
	}
	return content{unknown: o.published.UnknownFields(object), wrong: o.published.WrongTypes(object)}
}

// unknownFields finds fields that the host does not know. Members of its version leave
// them out.
func (o *Objects) unknownFields(what string, there content, name string) {
	if len(there.unknown) > 0 {
		o.find(finding.Warning, "unknown-fields", name, what+" has fields that the host does not know, and members of its version leave out: "+strings.Join(there.unknown, ", "),
			"look whether they are misspelt; fedctl names them in the condition Accepted")
	}
}

// unwritable finds overrides that are carried out as they are, and refused when they are
// written the next time.
func (o *Objects) unwritable(object *federate.Object, name string) {
	for i := range object.Overrides {
		for j := range object.Overrides[i].Overrides {
			if v := &object.Overrides[i].Overrides[j]; !v.HasValue && v.Op != "remove" {
				o.find(finding.Warning, "override-without-value", name, fmt.Sprintf("spec.overrides[%d].clusterOverrides[%d] has no value, which KubeFed takes for null", i, j),
					"give it a value, or the op remove: fedctl refuses it when the overrides are written the next time")
			}
		}
	}
}

// unknownClusters finds names that mean no joined cluster.
func (o *Objects) unknownClusters(object *federate.Object, name string) {
	for field, names := range map[string][]string{"spec.placement.clusters": object.Placement.Clusters, "spec.overrides": overridden(object)} {
		var unknown []string
		for _, cluster := range names {
			if !slices.Contains(o.clusters, cluster) && !slices.Contains(unknown, cluster) {
				unknown = append(unknown, cluster)
			}
		}
		if len(unknown) > 0 {
			slices.Sort(unknown)
			o.find(finding.Warning, "unknown-cluster", name, field+" names what has not joined: "+strings.Join(unknown, ", "),
				"join the cluster, or remove its name; the other clusters go on")
		}
	}
}

// templateKind is the type of the objects that a template makes: the kind is the target's,
// the version the template's if it names one.
func templateKind(template map[string]any, target schema.GroupVersionKind) schema.GroupVersionKind {
	apiVersion := target.GroupVersion().String()
	if s, ok := template["apiVersion"].(string); ok && s != "" {
		apiVersion = s
	}
	return schema.FromAPIVersionAndKind(apiVersion, target.Kind)
}

func overridden(object *federate.Object) []string {
	var names []string
	for i := range object.Overrides {
		names = append(names, object.Overrides[i].ClusterName)
	}
	return names
}

func (o *Objects) find(level finding.Level, code, name, message, do string) {
	key := string(level) + code + "\x00" + message
	i, seen := o.index[key]
	if !seen {
		i = len(o.findings)
		o.index[key] = i
		o.findings = append(o.findings, finding.Finding{Level: level, Code: code, Subject: o.subject, Message: message, Do: do})
	}
	if f := &o.findings[i]; len(f.Objects) == 0 || f.Objects[len(f.Objects)-1] != name {
		f.Objects = append(f.Objects, name)
	}
}

// notPropagated reads the condition that KubeFed wrote.
func notPropagated(u *unstructured.Unstructured) (reason string, bad bool) {
	status := federate.ParseStatus(u.Object["status"])
	for i := range status.Conditions {
		if c := &status.Conditions[i]; c.Type == federate.ConditionPropagation && c.Status != "True" {
			return c.Reason, true
		}
	}
	return "", false
}
