package preview

import (
	"maps"
	"slices"
	"strings"

	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
)

// Judge adds warnings of what clusters will leave out or refuse, by what the host
// publishes of the target. A member of another version may see it otherwise.
func (p *Preview) Judge(published *definition.Published) {
	placed, said := 0, map[string][]string{} // the clusters that a warning is for
	for i := range p.Clusters {
		c := &p.Clusters[i]
		if c.Object == nil {
			continue
		}
		placed++
		for _, wrong := range published.WrongTypes(c.Object.Object) {
			warning := wrong + "; the host refuses it, and so do members of its version"
			said[warning] = append(said[warning], c.Cluster)
		}
		if unknown := published.UnknownFields(c.Object.Object); len(unknown) > 0 {
			warning := "fields that the host does not know, and members of its version leave out: " + strings.Join(unknown, ", ")
			said[warning] = append(said[warning], c.Cluster)
		}
	}
	for _, warning := range slices.Sorted(maps.Keys(said)) {
		if clusters := said[warning]; len(clusters) < placed {
			warning = strings.Join(clusters, ", ") + ": " + warning
		}
		p.Warnings = append(p.Warnings, warning)
	}
}
