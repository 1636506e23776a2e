package union

import (
	"slices"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
)

// Verbs are what can be done with all clusters at once.
var Verbs = []string{"get", "list", "watch"}

// Discovery is what any of several clusters serves and what can be read of it: their groups
// in the order of the first one that has them, versions from the newest stable one on. Of
// a type that two clusters serve differently, the first one says how.
func Discovery(of []apidiscoveryv2.APIGroupDiscoveryList) apidiscoveryv2.APIGroupDiscoveryList {
	var all apidiscoveryv2.APIGroupDiscoveryList
	for _, one := range of {
		for _, group := range one.Items {
			at := slices.IndexFunc(all.Items, func(g apidiscoveryv2.APIGroupDiscovery) bool { return g.Name == group.Name })
			if at < 0 {
				at = len(all.Items)
				all.Items = append(all.Items, apidiscoveryv2.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: group.Name}})
			}
			addVersions(&all.Items[at], group.Versions)
		}
	}
	all.Items = slices.DeleteFunc(all.Items, func(g apidiscoveryv2.APIGroupDiscovery) bool { return len(g.Versions) == 0 })
	for i := range all.Items {
		slices.SortStableFunc(all.Items[i].Versions, func(a, b apidiscoveryv2.APIVersionDiscovery) int {
			return version.CompareKubeAwareVersionStrings(b.Version, a.Version)
		})
	}
	all.Kind, all.APIVersion = "APIGroupDiscoveryList", apidiscoveryv2.SchemeGroupVersion.String()
	return all
}

func addVersions(to *apidiscoveryv2.APIGroupDiscovery, versions []apidiscoveryv2.APIVersionDiscovery) {
	for _, v := range versions {
		at := slices.IndexFunc(to.Versions, func(t apidiscoveryv2.APIVersionDiscovery) bool { return t.Version == v.Version })
		there := apidiscoveryv2.APIVersionDiscovery{Version: v.Version, Freshness: apidiscoveryv2.DiscoveryFreshnessCurrent}
		if at >= 0 {
			there = to.Versions[at]
		}
		for _, r := range v.Resources {
			known := slices.ContainsFunc(there.Resources, func(t apidiscoveryv2.APIResourceDiscovery) bool { return t.Resource == r.Resource })
			r.Verbs = slices.DeleteFunc(slices.Clone(r.Verbs), func(verb string) bool { return !slices.Contains(Verbs, verb) })
			if !known && len(r.Verbs) > 0 {
				r.Subresources = nil
				there.Resources = append(there.Resources, r)
			}
		}
		switch {
		case at >= 0:
			to.Versions[at] = there
		case len(there.Resources) > 0:
			to.Versions = append(to.Versions, there)
		}
	}
}

// Groups are the same as clients ask for them that do not know the aggregated form.
func Groups(all apidiscoveryv2.APIGroupDiscoveryList) metav1.APIGroupList {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{}}
	for _, group := range all.Items {
		if group.Name != "" {
			list.Groups = append(list.Groups, Group(group))
		}
	}
	return list
}

// Group is one of them.
func Group(group apidiscoveryv2.APIGroupDiscovery) metav1.APIGroup {
	one := metav1.APIGroup{Name: group.Name}
	for _, v := range group.Versions {
		one.Versions = append(one.Versions, metav1.GroupVersionForDiscovery{GroupVersion: group.Name + "/" + v.Version, Version: v.Version})
	}
	if len(one.Versions) > 0 {
		one.PreferredVersion = one.Versions[0]
	}
	return one
}

// Resources are those of one version of a group; nil if there is none.
func Resources(all apidiscoveryv2.APIGroupDiscoveryList, group, version string) *metav1.APIResourceList {
	for _, g := range all.Items {
		for _, v := range g.Versions {
			if g.Name != group || v.Version != version {
				continue
			}
			list := &metav1.APIResourceList{
				TypeMeta:     metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"},
				GroupVersion: metav1.GroupVersion{Group: group, Version: version}.String(),
			}
			for _, r := range v.Resources {
				list.APIResources = append(list.APIResources, resourceOf(r))
			}
			return list
		}
	}
	return nil
}

func resourceOf(r apidiscoveryv2.APIResourceDiscovery) metav1.APIResource {
	one := metav1.APIResource{
		Name: r.Resource, SingularName: r.SingularResource, Namespaced: r.Scope == apidiscoveryv2.ScopeNamespace,
		Verbs: r.Verbs, ShortNames: r.ShortNames, Categories: r.Categories,
	}
	if r.ResponseKind != nil {
		one.Kind, one.Group, one.Version = r.ResponseKind.Kind, r.ResponseKind.Group, r.ResponseKind.Version
	}
	return one
}
