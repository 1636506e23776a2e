package e2e

import (
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// fields is a piece of a manifest.
type fields = map[string]any

// list is a list in a manifest.
type list = []any

// kinds are the default types: the target's group and version by its kind.
var kinds = map[string]schema.GroupVersion{
	"ConfigMap":               {Version: "v1"},
	"Secret":                  {Version: "v1"},
	"Service":                 {Version: "v1"},
	"ServiceAccount":          {Version: "v1"},
	"Namespace":               {Version: "v1"},
	"Deployment":              {Group: "apps", Version: "v1"},
	"ReplicaSet":              {Group: "apps", Version: "v1"},
	"HorizontalPodAutoscaler": {Group: "autoscaling", Version: "v2"},
	"Job":                     {Group: "batch", Version: "v1"},
	"Ingress":                 {Group: "networking.k8s.io", Version: "v1"},
	"ClusterRole":             {Group: "rbac.authorization.k8s.io", Version: "v1"},
	"Backup":                  {Group: "backup.fedctl.io", Version: "v1alpha1"},
}

// ref names an object in some cluster.
type ref = kit.Ref

// federated is a federated object on its way to the host or back.
type federated struct {
	*unstructured.Unstructured
	// target is the object it stands for in the members.
	target ref
}

// federate makes the federated object of a target's kind, with no placement yet.
// The template becomes a copy.
func federate(kind, namespace, name string, template fields) *federated {
	f := &federated{
		Unstructured: &unstructured.Unstructured{Object: fields{"spec": fields{}}},
		target:       ref{GroupVersionKind: kinds[kind].WithKind(kind), Namespace: namespace, Name: name},
	}
	if kind == "Namespace" {
		f.target.Namespace = ""
	}
	f.SetAPIVersion("types.kubefed.io/v1beta1")
	f.SetKind("Federated" + kind)
	f.SetNamespace(namespace)
	f.SetName(name)
	if template != nil {
		f.spec()["template"] = plain(template)
	}
	return f
}

// configMap is a federated ConfigMap with the data.
func configMap(namespace, name string, data fields) *federated {
	return federate("ConfigMap", namespace, name, fields{"data": data})
}

// plain copies a piece of a manifest, with numbers as the API's JSON has them.
func plain(in fields) fields {
	out, _ := kit.Plain(in).(fields)
	return out
}

func (f *federated) spec() fields {
	spec, _ := f.Object["spec"].(fields)
	return spec
}

// template is the template itself, to be changed in place.
func (f *federated) template() fields {
	template, _ := f.spec()["template"].(fields)
	return template
}

// on places the object in exactly these clusters.
func (f *federated) on(clusters ...*framework.Cluster) *federated {
	return f.onNames(names(clusters...)...)
}

func (f *federated) onNames(names ...string) *federated {
	clusters := list{}
	for _, name := range names {
		clusters = append(clusters, fields{"name": name})
	}
	f.spec()["placement"] = fields{"clusters": clusters}
	return f
}

// onLabelled places the object in the clusters with these labels.
func (f *federated) onLabelled(labels fields) *federated {
	selector := fields{}
	if len(labels) > 0 {
		selector["matchLabels"] = maps.Clone(labels)
	}
	f.spec()["placement"] = fields{"clusterSelector": selector}
	return f
}

// patch is one step of an override.
func patch(op, path string, value ...any) fields {
	p := fields{"path": path}
	if op != "" {
		p["op"] = op
	}
	if len(value) > 0 {
		p["value"] = kit.Plain(value[0])
	}
	return p
}

// override replaces the overrides of one cluster.
func (f *federated) override(cluster string, patches ...fields) *federated {
	entry := fields{"clusterName": cluster, "clusterOverrides": list{}}
	for _, p := range patches {
		entry["clusterOverrides"] = append(entry["clusterOverrides"].(list), p) //nolint:forcetypeassert // made above
	}
	overrides, _ := f.spec()["overrides"].(list)
	kept := list{}
	for _, item := range overrides {
		if o, ok := item.(fields); ok && o["clusterName"] != cluster {
			kept = append(kept, item)
		}
	}
	f.spec()["overrides"] = append(kept, entry)
	return f
}

// annotate sets an annotation of the federated object itself.
func (f *federated) annotate(key, value string) *federated {
	annotations := f.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	f.SetAnnotations(annotations)
	return f
}
