package capture

import (
	"fmt"
	"slices"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
)

// matchesNothing warns of a part of the source that nothing was saved for.
func (c *capture) matchesNothing(subject, format string, args ...any) {
	c.nothing.Store(true)
	c.writer.Warn(v1alpha1.ResourceWarning{Resource: subject, Message: fmt.Sprintf(format, args...)})
}

// reportUnsaved warns of resources that were asked for by name and that the cluster has,
// of which none is read for what else the source says.
func (c *capture) reportUnsaved(resources, chosen []content.Resource) {
	for _, name := range c.Source.IncludedResources {
		of := func(r content.Resource) bool { return r.Matches([]string{name}) }
		if slices.ContainsFunc(chosen, of) {
			continue
		}
		for _, resource := range resources {
			if of(resource) {
				c.matchesNothing(name, "spec.source.includedResources: nothing of it was saved, %s", c.whyUnsaved(resource))
				break
			}
		}
	}
}

// whyUnsaved is why a resource is not read that was asked for.
func (c *capture) whyUnsaved(resource content.Resource) string {
	if resource.Matches(c.Source.ExcludedResources) {
		return "because spec.source.excludedResources excludes it"
	}
	if !resource.Namespaced && !c.Source.IncludeClusterResources && resource.Name() != namespacesName {
		return "because " + resource.Name() + " is in no namespace: set spec.source.includeClusterResources to true"
	}
	reason, _ := content.OmitResource(resource.Group, resource.Plural)
	return "because it never is: " + reason
}

// reportUnlabelled warns of a label selector that no object has matched, where all that
// was to be read could be. Namespaces that were asked for by name are saved whatever their
// labels are, and do not count.
func (c *capture) reportUnlabelled(p *plan, t *tally) {
	if c.selector == "" || t.bad > 0 {
		return
	}
	m := c.writer.Manifest()
	for i := range m.Resources {
		if m.Resources[i].Objects > 0 && (p.namespaces == nil || m.Resources[i].Name() != namespacesName) {
			return
		}
	}
	c.matchesNothing("", "spec.source.labelSelector %q: no object that the rest of spec.source asks for has such labels, so that nothing of it was saved", c.selector)
}
