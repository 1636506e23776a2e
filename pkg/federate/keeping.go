package federate

import (
	"maps"
	"regexp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// Keeping says what stays of a live object's lists when it is replaced by what is desired:
// items, and fields of items, that others own, as their managedFields tell. The zero value
// keeps nothing.
type Keeping struct {
	// Others are the fields that are not ours; nil keeps nothing.
	Others *fieldpath.Set
	// Whole are lists whose items are desired's, or others' and none of desired's: paths
	// without places. What others have in an item of desired's may be what stands against it.
	Whole []string
}

// Without is a Keeping that keeps less, after an API server has found the result invalid at
// these fields. It keeps nothing where they name no list that says more.
func (k Keeping) Without(fields []string) Keeping {
	whole := slices.Clone(k.Whole)
	for _, field := range fields {
		if list := innermostList(field); list != "" && !slices.Contains(whole, list) {
			whole = append(whole, list)
		}
	}
	if len(whole) == len(k.Whole) {
		return Keeping{}
	}
	return Keeping{Others: k.Others, Whole: whole}
}

var place = regexp.MustCompile(`\[[^\]]*\]`)

// innermostList is the path of the last list on the way to a field, without places.
func innermostList(field string) string {
	places := place.FindAllStringIndex(field, -1)
	if len(places) == 0 {
		return ""
	}
	return place.ReplaceAllString(field[:places[len(places)-1][0]], "")
}

// overlay is Replacement at a path, of which others own fields.
func (k Keeping) overlay(live, desired map[string]any, others *fieldpath.Set, at string) map[string]any {
	out := make(map[string]any, len(live)+len(desired))
	maps.Copy(out, live)
	for key, want := range desired {
		theirs, path := below(others, key), join(at, key)
		switch want := want.(type) {
		case map[string]any:
			if have, ok := out[key].(map[string]any); ok {
				out[key] = k.overlay(have, want, theirs, path)
				continue
			}
		case []any:
			if have, ok := out[key].([]any); ok {
				out[key] = k.list(have, want, theirs, path)
				continue
			}
		}
		out[key] = want
	}
	return out
}

func join(at, field string) string {
	if at == "" {
		return field
	}
	return at + "." + field
}

// below are the fields under one field; nil if there are none.
func below(set *fieldpath.Set, field string) *fieldpath.Set {
	if set == nil {
		return nil
	}
	inner, _ := set.Children.Get(fieldpath.PathElement{FieldName: &field})
	return inner
}

// list is what is desired of a list, with what others have in its items, and after it the
// items that are others'.
func (k Keeping) list(live, desired []any, others *fieldpath.Set, at string) []any {
	if others == nil {
		return desired
	}
	out := slices.Clone(desired)
	each(others, func(e fieldpath.PathElement, theirs *fieldpath.Set) {
		there := slices.IndexFunc(live, func(item any) bool { return IsItem(&e, item) })
		if there < 0 {
			return
		}
		ours := slices.IndexFunc(desired, func(item any) bool { return IsItem(&e, item) })
		switch have, isObject := live[there].(map[string]any); {
		case ours < 0 && !sharesName(desired, live[there]):
			out = append(out, live[there])
		case ours >= 0 && isObject && theirs != nil && !slices.Contains(k.Whole, at):
			if want, ok := desired[ours].(map[string]any); ok {
				out[ours] = k.item(have, want, theirs, at)
			}
		}
	})
	return out
}

// item is what is desired of an item of a list, with the fields of others that desired does
// not name. What it names is desired's, but for lists: an object beside whose fields others
// have set some is often one of which there may be one.
func (k Keeping) item(live, desired map[string]any, others *fieldpath.Set, at string) map[string]any {
	out := maps.Clone(desired)
	each(others, func(e fieldpath.PathElement, theirs *fieldpath.Set) {
		if e.FieldName == nil {
			return
		}
		field := *e.FieldName
		have, there := live[field]
		want, named := desired[field]
		switch {
		case there && !named:
			out[field] = have
		case there:
			haveList, isList := have.([]any)
			if wantList, ok := want.([]any); ok && isList {
				out[field] = k.list(haveList, wantList, theirs, join(at, field))
			}
		}
	})
	return out
}

// each calls do with every element of a set, in order, and with what is below it; nil if that
// is nothing.
func each(set *fieldpath.Set, do func(e fieldpath.PathElement, below *fieldpath.Set)) {
	set.Members.Iterate(func(e fieldpath.PathElement) {
		inner, _ := set.Children.Get(e)
		do(e, inner)
	})
	set.Children.Iterate(func(e fieldpath.PathElement) {
		if inner, ok := set.Children.Get(e); ok && !set.Members.Has(e) {
			do(e, inner)
		}
	})
}

// sharesName says whether an item has the name of one in a list whose keys are others, such
// as a Service's port: it is the same one, changed, and not a second.
func sharesName(list []any, item any) bool {
	fields, ok := item.(map[string]any)
	if !ok {
		return false
	}
	return slices.ContainsFunc(list, func(other any) bool {
		have, ok := other.(map[string]any)
		return ok && have["name"] == fields["name"]
	})
}

// IsItem says whether an item of a list is the one of a key or a value. Fields of the key
// that the item does not have are at their default.
func IsItem(e *fieldpath.PathElement, item any) bool {
	if e.Value != nil {
		return value.Equals(*e.Value, value.NewValueInterface(item))
	}
	fields, ok := item.(map[string]any)
	if !ok || e.Key == nil {
		return false
	}
	return !slices.ContainsFunc(*e.Key, func(key value.Field) bool {
		have, there := fields[key.Name]
		return there && !value.Equals(key.Value, value.NewValueInterface(have))
	})
}

// OthersOf are the fields that an object's managedFields tell to be others'. What cannot be
// read is nobody's.
func OthersOf(entries []metav1.ManagedFieldsEntry) *fieldpath.Set {
	others := &fieldpath.Set{}
	for i := range entries {
		if e := &entries[i]; e.Subresource == "" && !isOwn(entries, e) && e.Manager != TakingBackManager {
			if fields, err := FieldsOf(e); err == nil {
				others = others.Union(fields)
			}
		}
	}
	return others.Difference(ownFields(entries))
}
