package cases

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Case is what somebody does with one or a few federated objects.
type Case struct {
	// Name is that of the file.
	Name string `json:"-"`
	// About says in a few words what is tried.
	About string `json:"about"`
	// Group is the heading that the case is counted under: one of Groups.
	Group string `json:"group"`
	// Unfederated leaves it to the steps to federate the case's namespace. Without it
	// there is a FederatedNamespace, in every member, before the first step.
	Unfederated bool `json:"unfederated,omitempty"`
	// Existing are created in both members before the first step, by somebody else.
	Existing []Object `json:"existing,omitempty"`
	// Steps are done one after the other; what has come of each is compared.
	Steps []Step `json:"steps"`

	hosted, spread []Ref
}

// Step is one thing that is done, in the host unless In says otherwise.
type Step struct {
	// In names a member, or "members": it is done there, behind the federation's back.
	In string `json:"in,omitempty"`
	// Apply writes objects as they are given, as kubectl apply does.
	Apply []Object `json:"apply,omitempty"`
	// Patch changes objects that are there.
	Patch []Patch `json:"patch,omitempty"`
	// Delete deletes objects: KIND/NAME.
	Delete []string `json:"delete,omitempty"`
	// Until is what KubeFed is known to make of it: the step has not been dealt with
	// before. A step in a member has one wherever KubeFed does anything about it.
	Until []Expectation `json:"until,omitempty"`
	// Slow says that KubeFed needs long: it tries again after a failure.
	Slow bool `json:"slow,omitempty"`
}

// Object is an object of Kubernetes; what is left out of it is filled in.
type Object map[string]any

// Patch is a JSON merge patch of one object.
type Patch struct {
	Of    string         `json:"of"`
	Merge map[string]any `json:"merge"`
}

// Expectation is the value of a field; null: it is absent. Without a path it is the
// object itself that has to be absent, or there with Is: true.
type Expectation struct {
	In   string `json:"in,omitempty"` // a member, or "members"; empty: the host
	Of   string `json:"of"`
	Path string `json:"path,omitempty"`
	Is   any    `json:"is,omitempty"`
}

// Groups are the headings of the table.
var Groups = []string{"Placement", "Overrides", "Templates", "Updates", "Kinds", "Drift", "Deletion", "Adoption", "Namespaces", "Replicas", "Unusual input"}

// Load reads all cases of a directory, in the order of their names.
func Load(dir fs.FS) ([]*Case, error) {
	files, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*Case
	for _, file := range files {
		content, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		c, err := Parse(strings.TrimSuffix(path.Base(file), ".yaml"), content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// Parse reads a case. In its text, $(name) is a name of its own for objects that
// belong to no namespace.
func Parse(name string, content []byte) (*Case, error) {
	c := &Case{Name: name}
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(content), "$(name)", c.Namespace())), c); err != nil {
		return nil, err
	}
	switch {
	case len(name) > 45:
		return nil, fmt.Errorf("the name is too long for a namespace: at most 45 characters")
	case strings.TrimSpace(c.About) == "":
		return nil, fmt.Errorf("about is missing")
	case !slices.Contains(Groups, c.Group):
		return nil, fmt.Errorf("group %q is not one of %s", c.Group, strings.Join(Groups, ", "))
	case len(c.Steps) == 0:
		return nil, fmt.Errorf("there are no steps")
	}
	return c, c.complete()
}

// Namespace is the case's namespace in the host.
func (c *Case) Namespace() string { return "case-" + c.Name }

// Hosted are the objects of the case in the host, and Spread those in the members
// that come of them or are there besides.
func (c *Case) Hosted() []Ref { return c.hosted }

// Spread are the objects in the members.
func (c *Case) Spread() []Ref { return c.spread }

// Find returns what KIND/NAME names.
func (c *Case) Find(name string) (Ref, error) {
	kind, object, _ := strings.Cut(name, "/")
	ref, ok := typeOf(kind)
	if !ok || object == "" {
		return ref, fmt.Errorf("%q is not KIND/NAME of a kind that is enabled", name)
	}
	ref.Name = object
	return ref, nil
}

// complete checks what the case names, fills in what its objects leave out, and
// lists them.
func (c *Case) complete() error {
	if !c.Unfederated {
		c.federate()
	}
	for _, o := range c.Existing {
		if err := c.add(o, true); err != nil {
			return err
		}
	}
	for i := range c.Steps {
		if err := c.completeStep(&c.Steps[i]); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (c *Case) completeStep(s *Step) error {
	switch {
	case s.In != "" && s.In != "members" && s.In != "member-1" && s.In != "member-2":
		return fmt.Errorf("in is %q, and not members, member-1 or member-2", s.In)
	case len(s.Apply)+len(s.Patch)+len(s.Delete) == 0:
		return fmt.Errorf("nothing is done")
	}
	for _, o := range s.Apply {
		if err := c.add(o, s.In != ""); err != nil {
			return err
		}
	}
	names := slices.Clone(s.Delete)
	for _, p := range s.Patch {
		names = append(names, p.Of)
	}
	for _, e := range s.Until {
		names = append(names, e.Of)
	}
	for _, name := range names {
		if _, err := c.Find(name); err != nil {
			return err
		}
	}
	return nil
}

// federate adds the case's namespace to what is compared.
func (c *Case) federate() {
	c.hosted = append(c.hosted, Ref{"types.kubefed.io/v1beta1", "FederatedNamespace", c.Namespace(), true})
	c.spread = append(c.spread, Ref{"v1", "Namespace", c.Namespace(), false})
}

// add completes an object and adds it, and what comes of it, to what is compared.
func (c *Case) add(o Object, inMembers bool) error {
	u := unstructured.Unstructured{Object: o}
	ref, err := c.Find(u.GetKind() + "/" + u.GetName())
	if err != nil {
		return err
	}
	if u.GetAPIVersion() == "" {
		u.SetAPIVersion(ref.APIVersion)
	}
	if ref.Namespaced && u.GetNamespace() == "" {
		u.SetNamespace(c.Namespace())
	}
	if inMembers {
		c.spread = appendNew(c.spread, ref)
		return nil
	}
	c.hosted = appendNew(c.hosted, ref)
	if target, federated := strings.CutPrefix(ref.Kind, "Federated"); federated {
		if ref, err = c.Find(target + "/" + ref.Name); err == nil {
			c.spread = appendNew(c.spread, ref)
		}
	}
	return err
}

func appendNew(refs []Ref, ref Ref) []Ref {
	if slices.Contains(refs, ref) {
		return refs
	}
	return append(refs, ref)
}
