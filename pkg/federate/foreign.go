package federate

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// What other managers have written of an object in a member, as its managedFields tell,
// which belong to its metadata.

// Other field managers of ours than FieldManager.
const (
	// ReplacingManager is that of an update in place of an apply.
	ReplacingManager = "fedctl-replace"
	// RetainingManager holds spec.replicas where they are the member's.
	RetainingManager = "fedctl-retained"
	// TakingBackManager is given what others have added to an object that is Exact, to
	// remove it. It holds something between two requests only.
	TakingBackManager = "fedctl-taken-back"
)

// Claim is what one entry of managedFields tells of what another manager has written, and
// no known writer accounts for.
type Claim struct {
	// Entry is the index of the entry.
	Entry int
	// Fields are those of the content that are not ours as well.
	Fields *fieldpath.Set
}

// Claims are those of an object of a kind. Its content is all of it but metadata and
// status. An entry that cannot be read claims nothing. keepReplicas: spec.replicas are the
// member's.
func Claims(gk schema.GroupKind, entries []metav1.ManagedFieldsEntry, keepReplicas bool) []Claim {
	var claims []Claim
	var own *fieldpath.Set
	for i := range entries {
		e := &entries[i]
		if isOwn(entries, e) || e.Subresource != "" {
			continue
		}
		fields, err := FieldsOf(e)
		if err != nil {
			continue
		}
		if fields = contentOf(fields); fields.Empty() {
			continue // most do: their writers only annotate, or write the status
		}
		if own == nil {
			own = ownFields(entries)
		}
		fields = withoutKnown(gk, e.Manager, withoutParents(fields.Difference(own), own), own)
		if keepReplicas {
			fields, _ = without(fields, []string{"spec", "replicas"})
		}
		if !fields.Empty() {
			claims = append(claims, Claim{Entry: i, Fields: fields})
		}
	}
	return claims
}

// isOwn says whether an entry tells of writes of ours. The admission of the member may
// change what we write; API servers say that as an update by the manager of the request.
func isOwn(entries []metav1.ManagedFieldsEntry, e *metav1.ManagedFieldsEntry) bool {
	switch e.Manager {
	case FieldManager, RetainingManager:
		return !isBorrowed(entries, e)
	case ReplacingManager:
		return true
	case TakingBackManager:
		return e.Operation == metav1.ManagedFieldsOperationUpdate
	}
	return false
}

// isBorrowed says whether an entry of the name of our applies tells of somebody else's update: what
// admission changes is there when our apply is, and no later.
func isBorrowed(entries []metav1.ManagedFieldsEntry, e *metav1.ManagedFieldsEntry) bool {
	if e.Operation != metav1.ManagedFieldsOperationUpdate || e.Time == nil {
		return false
	}
	applied := false
	for i := range entries {
		own := &entries[i]
		if own.Manager != FieldManager || own.Operation != metav1.ManagedFieldsOperationApply || own.Time == nil {
			continue
		}
		if !e.Time.After(own.Time.Time) {
			return false
		}
		applied = true
	}
	return applied
}

func ownFields(entries []metav1.ManagedFieldsEntry) *fieldpath.Set {
	own := &fieldpath.Set{}
	for i := range entries {
		if !isOwn(entries, &entries[i]) {
			continue
		}
		if fields, err := FieldsOf(&entries[i]); err == nil {
			own = own.Union(fields)
		}
	}
	return own
}

// FieldsOf are the fields of an entry.
func FieldsOf(e *metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	fields := &fieldpath.Set{}
	if e.FieldsV1 == nil {
		return fields, nil
	}
	err := fields.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes()))
	return fields, err
}

// contentOf are the fields outside of metadata and status.
func contentOf(fields *fieldpath.Set) *fieldpath.Set {
	for _, field := range []string{"apiVersion", "kind", "metadata", "status"} {
		fields, _ = without(fields, []string{field})
	}
	return fields
}

// withoutParents are the fields without those that hold fields of ours: who adds a key to
// a map that was not there claims the map as well.
func withoutParents(fields, own *fieldpath.Set) *fieldpath.Set {
	rest := &fieldpath.Set{}
	fields.Members.Iterate(func(e fieldpath.PathElement) {
		if inner, ok := own.Children.Get(e); !ok || inner.Empty() {
			rest.Members.Insert(e)
		}
	})
	fields.Children.Iterate(func(e fieldpath.PathElement) {
		inner, _ := fields.Children.Get(e)
		if within, ok := own.Children.Get(e); ok {
			inner = withoutParents(inner, within)
		}
		if !inner.Empty() {
			*rest.Children.Descend(e) = *inner
		}
	})
	return rest
}

// Foreign says in words what other managers have written of an object. It is small, and
// comparable. The zero value says that they have written nothing.
type Foreign struct{ said unique.Handle[foreignTexts] }

// foreignTexts are what is said; but without the replicas.
type foreignTexts struct{ all, but string }

// ForeignOf reads it off the managedFields of an object of a kind.
func ForeignOf(gk schema.GroupKind, entries []metav1.ManagedFieldsEntry) Foreign {
	claims := Claims(gk, entries, false)
	if len(claims) == 0 {
		return Foreign{}
	}
	return Foreign{unique.Make(foreignTexts{
		all: DescribeClaims(entries, claims), but: DescribeClaims(entries, Claims(gk, entries, true)),
	})}
}

// Text is what is said; empty if there is nothing. keepReplicas: spec.replicas are the member's.
func (f Foreign) Text(keepReplicas bool) string {
	switch {
	case f == Foreign{}:
		return ""
	case keepReplicas:
		return f.said.Value().but
	}
	return f.said.Value().all
}

// Bounds of what is said of one object in one cluster, whose own words these are.
const (
	mostManagers, mostClaimed = 3, 5
	longestManager            = 60
)

// DescribeClaims says it: the managers, and the outermost of the fields that each has
// written, by name. Never a value: it may be a part of a Secret.
func DescribeClaims(entries []metav1.ManagedFieldsEntry, claims []Claim) string {
	of := map[string]*fieldpath.Set{}
	for _, claim := range claims {
		manager := clip(strings.Map(managerRune, entries[claim.Entry].Manager), longestManager)
		if manager == "" {
			manager = "?"
		}
		if before := of[manager]; before != nil {
			of[manager] = before.Union(claim.Fields)
		} else {
			of[manager] = claim.Fields
		}
	}
	names := slices.Sorted(maps.Keys(of))
	said := make([]string, 0, mostManagers+1)
	for _, name := range names[:min(len(names), mostManagers)] {
		said = append(said, name+": "+strings.Join(outermost(of[name]), ", "))
	}
	if len(names) > mostManagers {
		said = append(said, "…")
	}
	return strings.Join(said, "; ")
}

func managerRune(r rune) rune {
	if r == ':' {
		return '?'
	}
	return fieldRune(r)
}

// outermost are the paths of the first few fields that are not in another one, sorted.
func outermost(fields *fieldpath.Set) []string {
	var paths []string
	var collect func(within string, set *fieldpath.Set)
	collect = func(within string, set *fieldpath.Set) {
		if len(paths) > mostClaimed {
			return // enough: the rest is not said
		}
		set.Members.Iterate(func(e fieldpath.PathElement) { paths = append(paths, within+element(e, within == "")) })
		set.Children.Iterate(func(e fieldpath.PathElement) {
			if !set.Members.Has(e) {
				inner, _ := set.Children.Get(e)
				collect(within+element(e, within == ""), inner)
			}
		})
	}
	collect("", fields)
	slices.Sort(paths)
	if len(paths) > mostClaimed {
		paths = append(paths[:mostClaimed], "…")
	}
	for i := range paths {
		paths[i] = clip(paths[i], longestField)
	}
	return paths
}

// element is a step of a path as people write it. An item of a list is named by its key.
func element(e fieldpath.PathElement, first bool) string {
	switch {
	case e.FieldName != nil:
		name := strings.Map(fieldRune, *e.FieldName)
		switch {
		case strings.ContainsAny(name, ".[]"):
			return "[" + name + "]"
		case first:
			return name
		}
		return "." + name
	case e.Key != nil:
		keys := make([]string, 0, len(*e.Key))
		for _, key := range *e.Key {
			keys = append(keys, scalar(key.Value))
		}
		return "[" + strings.Join(keys, "/") + "]"
	case e.Index != nil:
		return "[*]"
	}
	return "[]" // an item that is its own key: a value
}

func scalar(v value.Value) string {
	if v != nil && v.IsString() {
		return strings.Map(fieldRune, v.AsString())
	}
	if v == nil {
		return "?"
	}
	raw, err := json.Marshal(v.Unstructured())
	if err != nil {
		return "?"
	}
	return strings.Map(fieldRune, string(raw))
}
