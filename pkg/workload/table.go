package workload

import (
	"maps"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kinds is a table of kinds. It is not modified.
type Kinds struct{ rows map[schema.GroupKind]*Kind }

// Kind says what objects of one kind look like.
type Kind struct {
	schema.GroupKind

	// Templates are where the pod templates are.
	Templates []Template

	// health judges its objects; nil: kstatus does.
	health rule
	// patience is what is had with them; nil: they take as long as they take.
	patience *patience
	// counted are what its pods are counted by.
	counted []counted
	// revision stands for all that a WorkloadKind says; empty of a kind that is known
	// without one.
	revision string
}

// Template is where objects have a pod template.
type Template struct {
	Path Path
	// PodSpec says that it is the spec of pods alone, without metadata.
	PodSpec bool
}

var builtin = func() *Kinds {
	all := &Kinds{rows: map[schema.GroupKind]*Kind{}}
	for i := range kinds {
		r := &kinds[i]
		kind := &Kind{GroupKind: schema.GroupKind{Group: r.group, Kind: r.kind}, health: r.health, patience: r.patience}
		for _, c := range r.components {
			kind.add(c)
		}
		all.rows[kind.GroupKind] = kind
	}
	return all
}()

// add takes in a component: where its template is, and what counts its pods.
func (k *Kind) add(c component) {
	n := counted{at: parsePath(c.at), unknown: c.uncounted}
	if c.at == "" {
		n.at = parsePath(c.template)
		k.Templates = append(k.Templates, Template{Path: n.at, PodSpec: c.podSpec})
	}
	for _, path := range c.replicas {
		n.replicas = append(n.replicas, parseCount(path))
	}
	if !c.counted {
		k.counted = append(k.counted, n)
	}
}

// Builtin is the table of the kinds that are known without being told.
func Builtin() *Kinds { return builtin }

func parsePath(path string) Path {
	if path == "" {
		return Path{}
	}
	return strings.Split(path, ".")
}

// Has says whether the kind is in the table: that of a workload.
func (k *Kinds) Has(kind schema.GroupKind) bool { return k.rows[kind] != nil }

// PodTemplates returns where objects of a kind have their pod templates; nil for a kind
// that is not known to have any.
func (k *Kinds) PodTemplates(kind schema.GroupKind) []Template {
	if row := k.rows[kind]; row != nil {
		return row.Templates
	}
	return nil
}

// Health judges an object of a kind, as it is in its cluster: by the rule of its row, or
// else as kstatus does. Whatever the object holds, it does not panic.
func (k *Kinds) Health(kind schema.GroupKind, object map[string]any) Health {
	return k.Judge(kind, object).Health
}

// Judge is Health, with what is needed to say that an object has been so for too long.
func (k *Kinds) Judge(kind schema.GroupKind, object map[string]any) Judgement {
	row := k.rows[kind]
	if row == nil {
		row = &Kind{}
	}
	judge := row.health
	if judge == nil {
		judge = byKstatus
	}
	return row.patience.judge(judged(judge, object), object)
}

// With returns the table with these kinds, each in the place of what is known of it; nil
// is none. One that names no components, such as to judge health in another way, has those
// that are known.
func (k *Kinds) With(custom ...*Kind) *Kinds {
	all := &Kinds{rows: maps.Clone(k.rows)}
	for _, kind := range custom {
		if kind == nil {
			continue
		}
		if known := k.rows[kind.GroupKind]; known != nil && len(kind.Templates) == 0 {
			kept := *kind
			kept.Templates, kept.counted = known.Templates, known.counted
			kind = &kept
		}
		all.rows[kind.GroupKind] = kind
	}
	return all
}

// Differs are the kinds of which another table says something else.
func (k *Kinds) Differs(other *Kinds) []schema.GroupKind {
	var kinds []schema.GroupKind
	for kind := range k.rows {
		if other.rows[kind] == nil || k.Revision(kind) != other.Revision(kind) {
			kinds = append(kinds, kind)
		}
	}
	for kind := range other.rows {
		if k.rows[kind] == nil {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Revision stands for what a WorkloadKind says of a kind; empty where there is none.
func (k *Kinds) Revision(kind schema.GroupKind) string {
	if row := k.rows[kind]; row != nil {
		return row.revision
	}
	return ""
}
