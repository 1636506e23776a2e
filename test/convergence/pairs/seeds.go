package pairs

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Seed is what is known of a type.
type Seed struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Resource is the type's name, as for kubectl: plural[.group].
	Resource   string `json:"resource"`
	Namespaced bool   `json:"namespaced"`
	// Enabled says that the type is so by default.
	Enabled bool `json:"enabled,omitempty"`
	// Base is a template that names little: pairs by hand and the schema's fields are
	// put upon it.
	Base map[string]any `json:"base"`
	// Full is a merge patch of Base that names much: each field of it is taken away and
	// put back.
	Full map[string]any `json:"full,omitempty"`
	// Single are fields that one object of a cluster may have set, and no second: no pairs
	// of them are made, since both ends of a pair are in the cluster at once.
	Single []string `json:"single,omitempty"`
	// Pairs are those by hand.
	Pairs []Manual `json:"pairs,omitempty"`
}

// Manual is a pair that somebody has thought of.
type Manual struct {
	Name string `json:"name"`
	// From and To are merge patches of Base.
	From map[string]any `json:"from,omitempty"`
	To   map[string]any `json:"to,omitempty"`
	// FromOverrides and ToOverrides are those for the member: JSON patches.
	FromOverrides []any `json:"fromOverrides,omitempty"`
	ToOverrides   []any `json:"toOverrides,omitempty"`
	// Existing is a merge patch of Base too: what another manager has made in the
	// member before.
	Existing map[string]any `json:"existing,omitempty"`
	// Short has the pair tried by "make test", too.
	Short bool `json:"short,omitempty"`
}

// Pair is a template and what it changes to.
type Pair struct {
	// Name is the type's resource and what changes, in words without spaces or slashes.
	Name     string
	Seed     *Seed
	From, To map[string]any
	// FromOverrides and ToOverrides are those for the member.
	FromOverrides, ToOverrides []any
	// Existing is what is in the member before; nil: nothing.
	Existing map[string]any
	// Generated pairs may be invalid: the API server says which are.
	Generated bool
	Short     bool
}

// Load reads the seeds of a directory, in the order of their file names.
func Load(dir fs.FS) ([]*Seed, error) {
	files, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*Seed
	for _, file := range files {
		content, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		s := &Seed{}
		if err := yaml.UnmarshalStrict(content, s); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if s.APIVersion == "" || s.Kind == "" || s.Resource == "" || s.Base == nil {
			return nil, fmt.Errorf("%s needs apiVersion, kind, resource and base", file)
		}
		all = append(all, s)
	}
	return all, nil
}

// Manual returns the pairs by hand.
func (s *Seed) Manual() ([]*Pair, error) {
	var all []*Pair
	for _, m := range s.Pairs {
		p := &Pair{Name: s.Resource + ":" + m.Name, Seed: s, FromOverrides: m.FromOverrides, ToOverrides: m.ToOverrides, Short: m.Short}
		var err error
		if p.From, err = merge(s.Base, m.From); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		if p.To, err = merge(s.Base, m.To); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		if m.Existing != nil {
			if p.Existing, err = merge(s.Base, m.Existing); err != nil {
				return nil, fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// merge applies a merge patch.
func merge(base, patch map[string]any) (map[string]any, error) {
	if patch == nil {
		return runtime.DeepCopyJSON(plain(base).(map[string]any)), nil
	}
	from, err := json.Marshal(base)
	if err != nil {
		return nil, err
	}
	by, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	merged, err := jsonpatch.MergePatch(from, by)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if err := json.Unmarshal(merged, &out); err != nil {
		return nil, err
	}
	return plain(out).(map[string]any), nil
}

// plain gives whole numbers the type that objects of the API have in Go.
func plain(value any) any {
	switch v := value.(type) {
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	case map[string]any:
		for key := range v {
			v[key] = plain(v[key])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return value
}

// word makes a path fit for the name of a pair.
func word(path []string) string {
	return strings.ReplaceAll(strings.Join(path, "."), "/", "_")
}
