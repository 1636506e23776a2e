package workload

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kinds is a table of kinds. It is not modified.
type Kinds struct{ rows map[schema.GroupKind]*Kind }

// Kind says what objects of one kind look like.
type Kind struct {
	schema.GroupKind

	// Templates are where the pod templates are.
	Templates []Path
	// ProgressDeadline is how long an object may say that it is Progressing, and nothing
	// else, before it is Degraded; 0: as long as it takes.
	ProgressDeadline time.Duration

	// health judges its objects; nil: kstatus does.
	health rule
}

var builtin = func() *Kinds {
	all := &Kinds{rows: map[schema.GroupKind]*Kind{}}
	for _, row := range kinds {
		kind := &Kind{GroupKind: schema.GroupKind{Group: row.group, Kind: row.kind}, health: healthRules[schema.GroupKind{Group: row.group, Kind: row.kind}]}
		for _, path := range row.templates {
			kind.Templates = append(kind.Templates, parsePath(path))
		}
		if becomesAvailable[kind.GroupKind] {
			kind.ProgressDeadline = defaultProgressDeadline
		}
		all.rows[kind.GroupKind] = kind
	}
	return all
}()

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
func (k *Kinds) PodTemplates(kind schema.GroupKind) []Path {
	if row := k.rows[kind]; row != nil {
		return row.Templates
	}
	return nil
}

// ProgressDeadline is that of a kind; 0 for one that is not in the table.
func (k *Kinds) ProgressDeadline(kind schema.GroupKind) time.Duration {
	if row := k.rows[kind]; row != nil {
		return row.ProgressDeadline
	}
	return 0
}

// Health judges an object of a kind, as it is in its cluster: by the rule of its row, or
// else as kstatus does. Whatever the object holds, it does not panic.
func (k *Kinds) Health(kind schema.GroupKind, object map[string]any) Health {
	judge := rule(byKstatus)
	if row := k.rows[kind]; row != nil && row.health != nil {
		judge = row.health
	}
	return judged(judge, object)
}

// PodTemplates is that of the kinds that are known without being told.
func PodTemplates(kind schema.GroupKind) []Path { return builtin.PodTemplates(kind) }
