package enablement

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// ResourceLister is the part of a discovery client that LookupTarget needs.
type ResourceLister interface {
	ServerPreferredResources() ([]*metav1.APIResourceList, error)
	ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error)
}

// LookupTarget finds the resource that name means, in any case: its plural or
// singular name, its kind, a short name, or <plural>.<group>. version chooses one
// of its versions; empty means the one the API server prefers. Group and Version
// of the result are filled in. The error of a resource that cannot be federated
// says why.
func LookupTarget(lister ResourceLister, name, version string) (metav1.APIResource, error) {
	if strings.Contains(name, "/") {
		return metav1.APIResource{}, fmt.Errorf("%s is a subresource: enable the type it belongs to", name)
	}
	var lists []*metav1.APIResourceList
	var incomplete error
	if version == "" {
		lists, incomplete = lister.ServerPreferredResources()
	} else {
		_, lists, incomplete = lister.ServerGroupsAndResources()
	}
	found, err := choose(matches(lists, name, version), name)
	if err != nil {
		if incomplete != nil {
			err = fmt.Errorf("%w; the list of types is incomplete: %w", err, incomplete)
		}
		return metav1.APIResource{}, err
	}
	if why := notFederable(found); why != "" {
		return metav1.APIResource{}, fmt.Errorf("%s cannot be federated: %s", typeconfig.QualifiedName(found.Name, found.Group), why)
	}
	return found, nil
}

// Federable returns the names, <plural>[.<group>], of the resources in lists that
// can be federated.
func Federable(lists []*metav1.APIResourceList) []string {
	var names []string
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, resource := range list.APIResources {
			resource.Group = gv.Group
			if !strings.Contains(resource.Name, "/") && notFederable(resource) == "" {
				names = append(names, typeconfig.QualifiedName(resource.Name, gv.Group))
			}
		}
	}
	return names
}

func matches(lists []*metav1.APIResourceList, name, version string) []metav1.APIResource {
	var found []metav1.APIResource
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil || (version != "" && gv.Version != version) {
			continue
		}
		for _, resource := range list.APIResources {
			if !strings.Contains(resource.Name, "/") && matchesName(resource, gv.Group, name) {
				resource.Group, resource.Version = gv.Group, gv.Version
				found = append(found, resource)
			}
		}
	}
	return found
}

func matchesName(resource metav1.APIResource, group, name string) bool {
	name = strings.ToLower(name)
	return name == resource.Name || name == resource.SingularName ||
		name == strings.ToLower(resource.Kind) || name == resource.Name+"."+group ||
		slices.Contains(resource.ShortNames, name)
}

// choose picks the resource that a name means when several match: the core
// group's, since it has no longer name to ask for it by, or the newer of two
// groups that serve the same objects.
func choose(found []metav1.APIResource, name string) (metav1.APIResource, error) {
	if len(found) == 0 {
		return metav1.APIResource{}, fmt.Errorf("the host cluster has no type %q: see kubectl api-resources; the type must exist in the host, for example as a CustomResourceDefinition", name)
	}
	if i := slices.IndexFunc(found, func(r metav1.APIResource) bool { return r.Group == "" }); i >= 0 {
		return found[i], nil
	}
	if current := slices.DeleteFunc(slices.Clone(found), func(r metav1.APIResource) bool { return superseded(r, found) }); len(current) == 1 {
		return current[0], nil
	}
	var names []string
	for _, resource := range found {
		names = append(names, typeconfig.QualifiedName(resource.Name, resource.Group))
	}
	slices.Sort(names)
	return metav1.APIResource{}, fmt.Errorf("%q may mean %s: give one of these names", name, strings.Join(slices.Compact(names), " or "))
}

// equivalentGroups lists, by plural name, the groups that have served the same
// objects, the one to prefer first.
var equivalentGroups = map[string][]string{
	"daemonsets":          {"apps", "extensions"},
	"deployments":         {"apps", "extensions"},
	"replicasets":         {"apps", "extensions"},
	"ingresses":           {"networking.k8s.io", "extensions"},
	"networkpolicies":     {"networking.k8s.io", "extensions"},
	"podsecuritypolicies": {"policy", "extensions"},
}

// superseded tells whether all has the objects of r in a group that is preferred.
func superseded(r metav1.APIResource, all []metav1.APIResource) bool {
	groups := equivalentGroups[r.Name]
	position := slices.Index(groups, r.Group)
	return slices.ContainsFunc(all, func(other metav1.APIResource) bool {
		better := slices.Index(groups, other.Group)
		return other.Name == r.Name && position >= 0 && better >= 0 && better < position
	})
}

// equivalent tells whether two groups serve the same objects under a plural name.
func equivalent(plural, group, otherGroup string) bool {
	groups := equivalentGroups[plural]
	return group != otherGroup && slices.Contains(groups, group) && slices.Contains(groups, otherGroup)
}

// perCluster holds types whose objects say something about one cluster only.
var perCluster = map[schema.GroupResource]string{
	{Resource: "nodes"}:                                                    "a node belongs to the cluster whose machine it is",
	{Resource: "events"}:                                                   "an event tells what happened in one cluster",
	{Group: "events.k8s.io", Resource: "events"}:                           "an event tells what happened in one cluster",
	{Group: "coordination.k8s.io", Resource: "leases"}:                     "a lease is a lock between the processes of one cluster",
	{Group: "metrics.k8s.io", Resource: "nodes"}:                           "metrics are measured in one cluster",
	{Group: "metrics.k8s.io", Resource: "pods"}:                            "metrics are measured in one cluster",
	{Group: "certificates.k8s.io", Resource: "certificatesigningrequests"}: "a request is signed by the cluster it is made to",
}

// notFederable says why no object of the resource can be kept in step in several
// clusters; empty when it can.
func notFederable(resource metav1.APIResource) string {
	if why, ok := perCluster[schema.GroupResource{Group: resource.Group, Resource: resource.Name}]; ok {
		return why
	}
	switch {
	case resource.Group == typeconfig.DefaultFederatedGroup && strings.HasPrefix(resource.Kind, "Federated"):
		return "it is a federated type itself; enable the type that it federates"
	case resource.Group == fedcorev1beta1.SchemeGroupVersion.Group:
		return "its objects belong to the control plane in the host"
	}
	var missing []string
	for _, verb := range []string{"get", "list", "watch", "create", "patch", "delete"} {
		if !slices.Contains(resource.Verbs, verb) {
			missing = append(missing, verb)
		}
	}
	if len(missing) > 0 {
		return "its API has no " + strings.Join(missing, ", ")
	}
	return ""
}
