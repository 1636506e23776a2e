package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fedctl/fedctl/pkg/federate"
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
	return slices.DeleteFunc(counting, func(c FieldChange) bool { return valueText(c.Before) == valueText(c.After) })
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
