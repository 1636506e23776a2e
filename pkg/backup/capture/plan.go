package capture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// plan is what is to be read.
type plan struct {
	resources []content.Resource
	// namespaces to read; nil means all at once.
	namespaces []string
	// claims says that VolumeSnapshots are to be made.
	claims bool
}

const namespacesName = "namespaces"

func (c *capture) plan(ctx context.Context) (*plan, error) {
	version, err := c.discovery.ServerVersion()
	if err != nil {
		return nil, &ClusterError{err}
	}
	c.writer.SetKubernetesVersion(version.GitVersion)
	resources, err := c.discover()
	if err != nil {
		return nil, err
	}
	if err := c.checkExcluded(); err != nil {
		return nil, err
	}
	p := &plan{resources: c.choose(resources), namespaces: c.namespaces(), claims: c.Source.Volumes == "Snapshot"}
	c.reportUnknown(resources)
	c.reportUnsaved(resources, p.resources)
	return p, ctx.Err()
}

// namespaces that were asked for, sorted, so that keys come in order.
func (c *capture) namespaces() []string {
	switch {
	case len(c.Source.Namespaces) == 0:
		return []string{c.Run.Namespace}
	case slices.Contains(c.Source.Namespaces, "*"):
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(c.Source.Namespaces)))
}

// discover lists what can be listed and created, sorted by name.
func (c *capture) discover() ([]content.Resource, error) {
	lists, err := discovery.ServerPreferredResources(c.discovery)
	var failed *discovery.ErrGroupDiscoveryFailed
	switch {
	case errors.As(err, &failed):
		c.reportSilent(failed.Groups)
	case err != nil:
		return nil, &ClusterError{err}
	}
	var resources []content.Resource
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for i := range list.APIResources {
			found := &list.APIResources[i]
			if strings.Contains(found.Name, "/") {
				continue
			}
			resource := content.Resource{Group: version.Group, Version: version.Version, Plural: found.Name, Kind: found.Kind, Namespaced: found.Namespaced}
			c.served = append(c.served, resource)
			if slices.Contains(found.Verbs, "list") && slices.Contains(found.Verbs, "create") {
				resources = append(resources, resource)
			}
		}
	}
	slices.SortFunc(resources, func(a, b content.Resource) int { return cmp.Compare(a.Name(), b.Name()) })
	return slices.CompactFunc(resources, func(a, b content.Resource) bool { return a.Name() == b.Name() }), nil
}

// reportSilent warns of groups that do not tell their resources, which is what becomes
// of an aggregated API whose server is gone. Only what would have been saved counts.
func (c *capture) reportSilent(groups map[schema.GroupVersion]error) {
	for version, cause := range groups {
		c.silent = append(c.silent, version.Group)
		if !c.wants(version.Group) {
			continue
		}
		service := version.Version + "." + version.Group
		c.writer.Warn(v1alpha1.ResourceWarning{Resource: "*." + version.Group, Message: fmt.Sprintf(
			"what there is of %s is not saved, because its API does not answer: repair what serves APIService %s, or delete that, or exclude the group in spec.source.excludedResources, as *.%s: %v",
			version, service, version.Group, cause)})
	}
}

// wants says whether anything of a group may be saved, whose resources are not known.
func (c *capture) wants(group string) bool {
	if _, never := content.OmitResource(group, "*"); never || slices.Contains(c.Source.ExcludedResources, "*."+group) {
		return false
	}
	return len(c.Source.IncludedResources) == 0 || slices.ContainsFunc(c.Source.IncludedResources, func(name string) bool {
		_, of, _ := strings.Cut(strings.ToLower(strings.TrimSpace(name)), ".")
		return of == group
	})
}

// checkExcluded refuses what was to exclude a resource and does not: that would be saved.
// A name that lacks its group, a kind or the like, one that is nearly right, and any without
// a group, since resources of no group are there in every cluster. Others may be of a type
// that this cluster does not have, and are told.
func (c *capture) checkExcluded() error {
	for _, name := range c.Source.ExcludedResources {
		_, group, _ := strings.Cut(strings.ToLower(strings.TrimSpace(name)), ".")
		if slices.Contains(c.silent, group) || slices.ContainsFunc(c.served, func(r content.Resource) bool { return r.Matches([]string{name}) }) {
			continue
		}
		meant := cmp.Or(content.OtherName(name, c.served), content.Misspelt(name, c.served))
		if meant != "" || group == "" {
			return &NameError{fmt.Sprintf("spec.source.excludedResources: no resource is called %s, so nothing would be left out%s",
				name, content.DidYouMean(cmp.Or(meant, content.MeantResource(name, c.served))))}
		}
		c.writer.Note(v1alpha1.ResourceWarning{Resource: name, Message: "spec.source.excludedResources: the cluster has no such resource" +
			content.DidYouMean(content.MeantResource(name, c.served))})
	}
	return nil
}

// NameError is a name in a spec that matches nothing, though what it does not leave out
// would be saved. Nothing was.
type NameError struct{ message string }

func (e *NameError) Error() string { return e.message }

// StatusReason is the reason as a status has it.
func (e *NameError) StatusReason() string { return ReasonMatchesNothing }

// ReasonMatchesNothing is that of a NameError, and of a source that matches nothing.
const ReasonMatchesNothing = "MatchesNothing"

// choose says which of the resources are read, and records which are not although
// they were asked for. The namespaces themselves always are, unless excluded: their
// labels and annotations are part of what works in them.
func (c *capture) choose(resources []content.Resource) []content.Resource {
	var chosen []content.Resource
	for _, resource := range resources {
		isNamespaces := resource.Name() == namespacesName
		if resource.Matches(c.Source.ExcludedResources) ||
			(len(c.Source.IncludedResources) > 0 && !resource.Matches(c.Source.IncludedResources) && !isNamespaces) ||
			(!resource.Namespaced && !c.Source.IncludeClusterResources && !isNamespaces) {
			continue
		}
		if reason, omit := content.OmitResource(resource.Group, resource.Plural); omit {
			c.writer.LeaveOut(repository.LeftOut{Resource: resource.Name(), Reason: reason})
			continue
		}
		chosen = append(chosen, resource)
	}
	return chosen
}

// reportUnknown warns of resources that were asked for by name and are not there.
func (c *capture) reportUnknown(resources []content.Resource) {
	for _, name := range c.Source.IncludedResources {
		known := slices.ContainsFunc(resources, func(r content.Resource) bool { return r.Matches([]string{name}) })
		if !known {
			c.writer.Warn(v1alpha1.ResourceWarning{Resource: name,
				Message: "the cluster has no such resource that can be listed and created: check spec.source.includedResources, each is <plural>[.<group>]" +
					content.DidYouMean(content.MeantResource(name, resources))})
		}
	}
}
