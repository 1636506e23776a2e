package definition

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// KnowsTemplate says whether the definition of a federated type knows the fields of its
// template, as ours do and KubeFed's do not.
func KnowsTemplate(crd *apiextensionsv1.CustomResourceDefinition, version string) bool {
	return len(property(crd, version, "spec", "template").Properties) > 0
}

// Lacks names what the definition of a federated type leaves out that ours has: those that
// kubefedctl makes do.
func Lacks(crd *apiextensionsv1.CustomResourceDefinition, version string) []string {
	var lacks []string
	if !KnowsTemplate(crd, version) {
		lacks = append(lacks, "the fields of spec.template (kubectl explain, and refusing a wrong type when it is written)")
	}
	if _, messages := property(crd, version, "status", "clusters").Properties["message"]; !messages {
		lacks = append(lacks, "messages in the status (only events say why something is not propagated)")
	}
	if _, versions := property(crd, version, "status", "clusters").Properties["version"]; !versions {
		lacks = append(lacks, "what was applied last (each restart of the controller compares with the members anew)")
	}
	if _, health := property(crd, version, "status", "clusters").Properties["health"]; !health {
		lacks = append(lacks, "how the object fares in each cluster (only the condition Ready tells)")
	}
	_, scalable := property(crd, version, "spec").Properties["retainReplicas"]
	if _, autoscaling := property(crd, version, "status", "clusters").Properties["autoscaling"]; scalable && !autoscaling {
		lacks = append(lacks, "which autoscalers the replicas are left to (when one has gone, a restart of the controller brings the template's number back)")
	}
	return lacks
}

// property is the schema at a path of properties, and of a list's items at its end; empty
// if there is none.
func property(crd *apiextensionsv1.CustomResourceDefinition, version string, path ...string) apiextensionsv1.JSONSchemaProps {
	for i := range crd.Spec.Versions {
		v := &crd.Spec.Versions[i]
		if v.Name != version || v.Schema == nil || v.Schema.OpenAPIV3Schema == nil {
			continue
		}
		schema := *v.Schema.OpenAPIV3Schema
		for _, name := range path {
			schema = schema.Properties[name]
		}
		if schema.Items != nil && schema.Items.Schema != nil {
			return *schema.Items.Schema
		}
		return schema
	}
	return apiextensionsv1.JSONSchemaProps{}
}
