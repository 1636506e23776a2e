package content

import "strings"

// metadataName is the label that each Namespace has with its own name.
const metadataName = "kubernetes.io/metadata.name"

// mapNamespaces moves an object into another namespace, and with it what the
// object says of namespaces that move: subjects of bindings, services of
// webhooks, claims of volumes, selectors of network policies and of affinities.
func (o Options) mapNamespaces(resource Resource, object map[string]any) {
	if len(o.NamespaceMapping) == 0 {
		return
	}
	metadata := mapping(object, "metadata")
	if metadata == nil {
		return
	}
	if resource.Name() == namespaces {
		o.mapField(metadata, "name")
		return
	}
	if resource.Namespaced {
		o.mapField(metadata, "namespace")
	}
	switch resource.Group {
	case "rbac.authorization.k8s.io":
		for _, subject := range elements(object, "subjects") {
			o.mapField(subject, "namespace")
			o.mapAccount(subject)
		}
	case "admissionregistration.k8s.io":
		for _, webhook := range elements(object, "webhooks") {
			o.mapField(mapping(webhook, "clientConfig", "service"), "namespace")
			o.mapSelector(mapping(webhook, "namespaceSelector"))
		}
		o.mapSelector(mapping(object, "spec", "matchConstraints", "namespaceSelector"))
		o.mapSelector(mapping(object, "spec", "matchResources", "namespaceSelector"))
		o.mapField(mapping(object, "spec", "paramRef"), "namespace")
	case "apiextensions.k8s.io":
		o.mapField(mapping(object, "spec", "conversion", "webhook", "clientConfig", "service"), "namespace")
	case "apiregistration.k8s.io":
		o.mapField(mapping(object, "spec", "service"), "namespace")
	}
	switch resource.Name() {
	case "persistentvolumes":
		o.mapField(mapping(object, "spec", "claimRef"), "namespace")
	case "networkpolicies.networking.k8s.io":
		o.mapPeers(object)
	}
	for _, pod := range podSpecs(resource, object) {
		o.mapAffinity(pod)
	}
}

func (o Options) mapField(object map[string]any, field string) {
	if from, ok := object[field].(string); ok {
		object[field] = o.to(from)
	}
}

// mapAccount maps a subject that names a ServiceAccount, or all of a namespace,
// as a user or group: system:serviceaccount:shop:web.
func (o Options) mapAccount(subject map[string]any) {
	full, _ := subject["name"].(string)
	for _, prefix := range []string{"system:serviceaccount:", "system:serviceaccounts:"} {
		if rest, ok := strings.CutPrefix(full, prefix); ok {
			from, account, named := strings.Cut(rest, ":")
			full = prefix + o.to(from)
			if named {
				full += ":" + account
			}
			subject["name"] = full
			return
		}
	}
}

// mapSelector maps a selector of namespaces that selects by name.
func (o Options) mapSelector(selector map[string]any) {
	o.mapField(mapping(selector, "matchLabels"), metadataName)
	for _, expression := range elements(selector, "matchExpressions") {
		if expression["key"] == metadataName {
			o.mapList(expression, "values")
		}
	}
}

func (o Options) mapList(object map[string]any, field string) {
	list, _ := object[field].([]any)
	for i := range list {
		if from, ok := list[i].(string); ok {
			list[i] = o.to(from)
		}
	}
}

func (o Options) mapPeers(policy map[string]any) {
	for _, rule := range elements(policy, "spec", "ingress") {
		for _, peer := range elements(rule, "from") {
			o.mapSelector(mapping(peer, "namespaceSelector"))
		}
	}
	for _, rule := range elements(policy, "spec", "egress") {
		for _, peer := range elements(rule, "to") {
			o.mapSelector(mapping(peer, "namespaceSelector"))
		}
	}
}

func (o Options) mapAffinity(pod map[string]any) {
	for _, kind := range []string{"podAffinity", "podAntiAffinity"} {
		affinity := mapping(pod, "affinity", kind)
		terms := elements(affinity, "requiredDuringSchedulingIgnoredDuringExecution")
		for _, weighted := range elements(affinity, "preferredDuringSchedulingIgnoredDuringExecution") {
			terms = append(terms, mapping(weighted, "podAffinityTerm"))
		}
		for _, term := range terms {
			o.mapList(term, "namespaces")
			o.mapSelector(mapping(term, "namespaceSelector"))
		}
	}
}

// podSpecs returns the pod specs in objects of Kubernetes' own workloads.
func podSpecs(resource Resource, object map[string]any) []map[string]any {
	var path []string
	switch {
	case resource.Name() == "pods":
		path = []string{"spec"}
	case resource.Name() == "podtemplates":
		path = []string{"template", "spec"}
	case resource.Name() == "cronjobs.batch":
		path = []string{"spec", "jobTemplate", "spec", "template", "spec"}
	case resource.Group == "apps" || resource.Group == "batch" || resource.Name() == "replicationcontrollers":
		path = []string{"spec", "template", "spec"}
	default:
		return nil
	}
	if spec := mapping(object, path...); spec != nil {
		return []map[string]any{spec}
	}
	return nil
}
