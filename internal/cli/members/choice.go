package members

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// All is the value of --clusters that chooses none in particular.
const All = "all"

var names = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?(,[a-z0-9]([-.a-z0-9]*[a-z0-9])?)*$`)

// Choice is which members are meant: those with these names, or, without names, those whose
// labels match.
type Choice struct {
	Names    []string
	Selector labels.Selector
}

// ParseChoice reads the value of --clusters: all, names (a,b), or a selector of labels.
func ParseChoice(text string) (Choice, error) {
	switch {
	case text == All:
		return Choice{Selector: labels.Everything()}, nil
	case names.MatchString(text):
		chosen := strings.Split(text, ",")
		slices.Sort(chosen)
		return Choice{Names: slices.Compact(chosen), Selector: labels.Everything()}, nil
	}
	selector, err := labels.Parse(text)
	if err != nil {
		return Choice{}, fmt.Errorf("--clusters %s is neither %s, nor names of clusters, nor a selector of their labels: %w", strconv.Quote(text), All, err)
	}
	return Choice{Selector: selector}, nil
}

// Has says whether a member is meant.
func (c Choice) Has(name string, with map[string]string) bool {
	if c.Names != nil {
		return slices.Contains(c.Names, name)
	}
	return c.Selector.Matches(labels.Set(with))
}

// Parameters are those of a request to several members that mean the same.
func (c Choice) Parameters() map[string]string {
	switch {
	case c.Names != nil:
		return map[string]string{union.ClustersParameter: strings.Join(c.Names, ",")}
	case c.Selector.Empty():
		return map[string]string{}
	}
	return map[string]string{union.ClusterSelectorParameter: c.Selector.String()}
}
