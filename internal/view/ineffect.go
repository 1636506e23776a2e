package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/policy"
)

// InEffect leaves of the changes of an object those that count in the end, one for each field:
// from the template's value to the last one, by who has written that. changes are in the order in
// which they are made. What a later one writes over is left out, also where one writes a whole
// and the other a part of it. So is a field that ends as it began.
func InEffect(changes []FieldChange) []FieldChange {
	var counting []FieldChange
	for _, change := range changes {
		counting = written(counting, change)
	}
	counting = slices.DeleteFunc(counting, func(c FieldChange) bool { return valueText(c.Before) == valueText(c.After) })
	for i := range counting {
		if c := &counting[i]; strings.HasSuffix(c.Field, ".image") && c.Before != nil {
			c.Origin, c.Because = writersOfImage(changes, *c)
		}
	}
	return counting
}

// written are the changes that count after one more.
func written(counting []FieldChange, change FieldChange) []FieldChange {
	for i := range counting {
		if outer := counting[i]; outer.Field != change.Field && isWithin(change.Field, outer.Field) {
			parts := partsOf(outer)
			if parts == nil { // what cannot be taken apart stands beside what has changed in it
				continue
			}
			return written(slices.Concat(counting[:i], parts, counting[i+1:]), change)
		}
	}
	kept, placed := make([]FieldChange, 0, len(counting)+1), false
	for _, before := range counting {
		switch {
		case before.Field == change.Field:
			change.Before = before.Before
			kept, placed = append(kept, change), true
		case isWithin(before.Field, change.Field): // it is written over
		default:
			kept = append(kept, before)
		}
	}
	if !placed {
		kept = append(kept, change)
	}
	return kept
}

// writersOfImage are those who have written parts of an image that count in the end: one sets the
// registry, another the tag.
func writersOfImage(all []FieldChange, image FieldChange) (origin string, because []string) {
	was, is := policy.ImageParts(image.Before), policy.ImageParts(image.After)
	var writers []FieldChange
	for _, part := range slices.Sorted(maps.Keys(is)) {
		if was[part] == is[part] {
			continue
		}
		for _, change := range slices.Backward(all) {
			if change.Field == image.Field && policy.ImageParts(change.Before)[part] != policy.ImageParts(change.After)[part] {
				writers = append(writers, change)
				break
			}
		}
	}
	var origins []string
	for _, change := range all { // in their order
		counts := slices.ContainsFunc(writers, func(w FieldChange) bool { return w.Field == change.Field && w.Origin == change.Origin })
		if counts && !slices.Contains(origins, change.Origin) {
			origins, because = append(origins, change.Origin), append(because, change.Because...)
		}
	}
	if len(origins) == 0 {
		return image.Origin, image.Because
	}
	return strings.Join(origins, ", "), because
}

// partsOf are the changes of the parts of a whole that was not there before; nil for one that
// cannot be taken apart.
func partsOf(whole FieldChange) []FieldChange {
	if whole.Before != nil {
		return nil
	}
	var parts []FieldChange
	part := func(field string, value any) {
		p := whole
		p.Field, p.After = field, value
		parts = append(parts, p)
	}
	switch after := whole.After.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(after)) {
			part(federate.FieldIn(whole.Field, key), after[key])
		}
	case []any:
		for _, item := range after {
			object, _ := item.(map[string]any)
			if object["name"] == nil {
				return nil
			}
			part(fmt.Sprintf("%s[name=%v]", whole.Field, object["name"]), item)
		}
	}
	return parts
}

// isWithin says whether a field is another one or in it.
func isWithin(field, outer string) bool {
	rest, inside := strings.CutPrefix(field, outer)
	return inside && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
