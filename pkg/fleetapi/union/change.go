package union

import "iter"

// Change is what an event of a watch tells of one object.
type Change struct {
	Kind   string // the event's type
	Object []byte // or the row of a table
	ID     Identity
	// Version is where the watch is after it.
	Version string
}

// Changes takes an event apart: a table may have several rows, of which each is a change. A
// bookmark is one as a whole. Columns are those that the event says; most tables of a watch say
// none.
func (f Form) Changes(event Event) (Columns, iter.Seq2[Change, error]) {
	var version string
	var columns Columns
	objects := [][]byte{event.Object}
	if f.As == Table {
		var rows [][]byte
		if version, columns, rows = tableHead(event.Object); event.Type != Bookmark {
			objects = rows
		}
	}
	return columns, func(yield func(Change, error) bool) {
		for _, object := range objects {
			change, err := f.change(event.Type, object, version)
			if !yield(change, err) || err != nil {
				return
			}
		}
	}
}

// change is that of an object, or of a row in a table of a version.
func (f Form) change(kind string, object []byte, version string) (Change, error) {
	id, err := f.IdentityOf(object)
	if id.ResourceVersion != "" && kind != Bookmark || version == "" {
		version = id.ResourceVersion
	}
	return Change{kind, object, id, version}, err
}

// IdentityOf reads which object it is, or which one a row is of.
func (f Form) IdentityOf(object []byte) (Identity, error) {
	if f.As == Table {
		if inner := ObjectOf(object); inner != nil {
			object = inner
		}
	}
	return IdentityOf(object)
}

// Remains is what is left of an object of a list, or of a row below columns, that has gone while
// nobody looked: which one it was.
func (f Form) Remains(id Identity, list Head, columns Columns) []byte {
	if f.As == Table {
		return remainsRow(id, columns)
	}
	return remains(id, list.ItemKind(), list.APIVersion)
}

// tableHead reads what a table says of itself.
func tableHead(table []byte) (version string, columns Columns, rows [][]byte) {
	for key, value := range pairs(table) {
		switch key {
		case "metadata":
			id, _ := IdentityOf(table) // an error: rows have their own
			version = id.ResourceVersion
		case "columnDefinitions":
			columns = ParseColumns(value)
		case "rows":
			for row := range elements(value) {
				rows = append(rows, row)
			}
		}
	}
	return version, columns, rows
}
