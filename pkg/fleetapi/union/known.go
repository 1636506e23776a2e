package union

import (
	"encoding/json"
	"slices"
	"strings"
)

// MostKnown is of how many objects a watch remembers that it has told of them, of each
// cluster. Of more it remembers none.
const MostKnown = 10_000

// Known are the objects of one cluster of which a watch has told, for when the cluster does
// not know any more what has changed: what it lists then is compared with them. It is
// of use only if the watch has told of all of them.
type Known struct {
	objects map[objectKey]objectVersion
	// Complete is false where not all are known.
	Complete bool
}

type objectKey struct{ namespace, name string }

type objectVersion struct{ uid, version string }

// NewKnown knows that there is nothing yet.
func NewKnown() *Known { return &Known{objects: map[objectKey]objectVersion{}, Complete: true} }

// Note takes an event that is told.
func (k *Known) Note(kind string, id Identity) {
	switch {
	case !k.Complete:
	case id.Name == "" || len(k.objects) >= MostKnown:
		k.objects, k.Complete = nil, false
	case kind == Deleted:
		delete(k.objects, objectKey{id.Namespace, id.Name})
	default:
		k.objects[objectKey{id.Namespace, id.Name}] = objectVersion{id.UID, id.ResourceVersion}
	}
}

// Listed is what has become of an object that is in a list: the kind of the event to tell,
// empty if nothing has changed. recreated: that it is another of the same name, so that
// the one before is to be told as deleted.
func (k *Known) Listed(id Identity) (kind string, recreated *Identity) {
	there, known := k.objects[objectKey{id.Namespace, id.Name}]
	switch {
	case !known:
		return Added, nil
	case there.uid != id.UID:
		return Added, &Identity{id.Namespace, id.Name, there.uid, there.version}
	case there.version == id.ResourceVersion && id.ResourceVersion != "":
		return "", nil
	}
	return Modified, nil
}

// Vanished are those that are not among the listed ones.
func (k *Known) Vanished(listed *Known) (gone []Identity) {
	for key, object := range k.objects {
		if _, there := listed.objects[key]; !there {
			gone = append(gone, Identity{key.namespace, key.name, object.uid, object.version})
		}
	}
	slices.SortFunc(gone, func(a, b Identity) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return gone
}

// remains is what is left of an object.
func remains(id Identity, kind, apiVersion string) []byte {
	metadata := map[string]any{"name": id.Name, "uid": id.UID, "resourceVersion": id.ResourceVersion}
	if id.Namespace != "" {
		metadata["namespace"] = id.Namespace
	}
	text, err := json.Marshal(map[string]any{"kind": kind, "apiVersion": apiVersion, "metadata": metadata})
	if err != nil {
		return nil // strings only: there is none
	}
	return text
}

// remainsRow is the same as the row of a table: its name, and nothing in the other columns.
func remainsRow(id Identity, columns Columns) []byte {
	cells := make([]any, len(columns))
	for i, column := range columns {
		if column.Format == "name" {
			cells[i] = id.Name
		}
	}
	text, err := json.Marshal(map[string]any{"cells": cells, "object": json.RawMessage(remains(id, Metadata, "meta.k8s.io/v1"))})
	if err != nil {
		return nil // strings only: there is none
	}
	return text
}
