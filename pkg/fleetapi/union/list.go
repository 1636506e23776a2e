package union

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Head is what a list says beside its items. Which of it is known before the last item
// has been read depends on the order in which a server writes.
type Head struct {
	Kind, APIVersion          string
	ResourceVersion, Continue string
	// Columns are the definitions of a table's.
	Columns Columns
}

// List is a list that is read item by item, of which nothing else is kept; of a table, row
// by row.
type List struct {
	Head
	values *values
	table  bool
	state  listState
}

type listState int

const (
	listBegins listState = iota
	listFirst            // in the array, before its first item
	listItems            // in the array
	listFields
	listOver
)

// NewList reads a list that was asked for in a form.
func NewList(from io.Reader, form Form) *List {
	return &List{values: newValues(from), table: form.As == Table}
}

// AtMost has no more be read of a value than so many bytes.
func (l *List) AtMost(bytes int) { l.values.most = min(bytes, MostOfValue) }

// Next is the next item, until the one after it is read. io.EOF: the list has been read to
// its end, and its head is known.
func (l *List) Next() ([]byte, error) {
	for {
		switch l.state {
		case listBegins:
			if err := l.values.expect('{'); err != nil {
				return nil, err
			}
			if err := l.fields(true); err != nil {
				return nil, err
			}
		case listFirst, listItems:
			item, err := l.item()
			if item != nil || err != nil {
				return item, err
			}
		case listFields:
			if err := l.fields(false); err != nil {
				return nil, err
			}
		case listOver:
			return nil, io.EOF
		}
	}
}

// item is nil at the end of the array.
func (l *List) item() ([]byte, error) {
	over, err := l.values.take(']')
	if err != nil {
		return nil, err
	}
	if over {
		l.state = listFields
		return nil, nil
	}
	if l.state == listItems {
		if err := l.values.expect(','); err != nil {
			return nil, err
		}
	}
	l.state = listItems
	item, err := l.values.next()
	if err == nil && item[0] != '{' {
		err = errJSON
	}
	return item, err
}

// fields reads to the items, or to the end.
func (l *List) fields(first bool) error {
	for ; ; first = false {
		over, err := l.values.take('}')
		if err != nil {
			return err
		}
		if over {
			l.state = listOver
			return l.check()
		}
		if !first {
			if err := l.values.expect(','); err != nil {
				return err
			}
		}
		inItems, err := l.field()
		if err != nil || inItems {
			return err
		}
	}
}

// field reads one. It is true where its items begin.
func (l *List) field() (inItems bool, err error) {
	quoted, err := l.values.next()
	if err != nil {
		return false, err
	}
	key := textOf(quoted)
	if err := l.values.expect(':'); err != nil {
		return false, err
	}
	if key == "items" && !l.table || key == "rows" && l.table {
		if inItems, err = l.values.take('['); inItems || err != nil {
			l.state = listFirst
			return true, err
		}
	}
	value, err := l.values.next()
	if err != nil {
		return false, err
	}
	switch key {
	case "kind":
		l.Kind = textOf(value)
	case "apiVersion":
		l.APIVersion = textOf(value)
	case "columnDefinitions":
		l.Columns = ParseColumns(value)
	case "metadata":
		for key, value := range pairs(value) {
			switch key {
			case "resourceVersion":
				l.ResourceVersion = textOf(value)
			case "continue":
				l.Continue = textOf(value)
			}
		}
		if len(l.Continue) > mostOfContinue { // it is asked with before the list is over
			return false, fmt.Errorf("its continue token has %d characters, of at most %d", len(l.Continue), mostOfContinue)
		}
	}
	return false, nil
}

var errKind = errors.New("what it says is not such a list")

func (l *List) check() error {
	if l.table != (l.Kind == Table) || !l.table && !strings.HasSuffix(l.Kind, "List") || !isOf(l.APIVersion, mostOfName, "-./") || !isOf(l.Kind, mostOfName, "") {
		return fmt.Errorf("%w, but %q", errKind, errtext.Bounded(l.Kind, mostOfVersion))
	}
	return nil
}

// ItemKind is the kind of the items of a list of this kind.
func (h Head) ItemKind() string {
	if h.Kind == Table {
		return Table
	}
	return strings.TrimSuffix(h.Kind, "List")
}

// Same says whether two lists are of one kind, so that one list can have the items of both.
func (h Head) Same(other Head) bool { return h.Kind == other.Kind && h.APIVersion == other.APIVersion }

// MostSay is what most lists are of, the first of those that are as many. Those without a kind
// do not say it yet.
func MostSay(heads []Head) (most Head) {
	votes := 0
	for _, h := range heads {
		if h.Kind == "" {
			continue
		}
		same := 0
		for _, other := range heads {
			if h.Same(other) {
				same++
			}
		}
		if same > votes {
			most, votes = Head{Kind: h.Kind, APIVersion: h.APIVersion}, same
		}
	}
	return most
}

// ListHead is that of a list of an object's kind.
func ListHead(object []byte) Head {
	h := ObjectHead(object)
	h.Kind += "List"
	return h
}

// ObjectHead says what an object is.
func ObjectHead(object []byte) (h Head) {
	for key, value := range pairs(object) {
		switch key {
		case "kind":
			h.Kind = textOf(value)
		case "apiVersion":
			h.APIVersion = textOf(value)
		}
	}
	return h
}

// AppendKind writes what a list is of.
func AppendKind(to []byte, h Head) []byte {
	to = appendText(append(to, `"kind":`...), h.Kind)
	return appendText(append(to, `,"apiVersion":`...), h.APIVersion)
}

// AppendHead writes the beginning of a list, up to its items. columns are those of a table.
// Without a kind, that is to be written at its end.
func AppendHead(to []byte, h Head, columns Columns) []byte {
	if h.Kind == "" {
		return append(to, `{"items":[`...)
	}
	to = AppendKind(append(to, '{'), h)
	if h.Kind != Table {
		return append(to, `,"items":[`...)
	}
	return append(append(append(to, `,"columnDefinitions":`...), columns.raw()...), `,"rows":[`...)
}

// AppendTail writes the end of a list behind the array of its items: what is known only then.
func AppendTail(to []byte, version Version, next *Token, missing []Missing) []byte {
	to = append(to, `,"metadata":{"resourceVersion":`...)
	to = appendText(to, version.String())
	if next != nil {
		to = append(to, `,"continue":`...)
		to = appendText(to, next.String())
	}
	if len(missing) > 0 {
		to = append(to, `,"annotations":{`...)
		to = append(appendText(to, AnnotationMissing), ':')
		to = append(appendText(to, MissingAnnotation(missing)), '}')
	}
	return append(to, "}}\n"...)
}

// Columns are the columns of a table.
type Columns []Column

// Column is one, as its cluster has written it.
type Column struct {
	Name   string
	Format string
	Raw    []byte
}

const mostColumns = 100

// ParseColumns reads definitions of columns.
func ParseColumns(definitions []byte) (columns Columns) {
	for definition := range elements(definitions) {
		column := Column{Raw: slices.Clone(definition)}
		for key, value := range pairs(definition) {
			switch key {
			case "name":
				column.Name = textOf(value)
			case "format":
				column.Format = textOf(value)
			}
		}
		if columns = append(columns, column); len(columns) == mostColumns {
			break
		}
	}
	return columns
}

const clusterColumn = `{"name":"Cluster","type":"string","format":"","description":"The member cluster that the object is in.","priority":0}`

// Union has the columns of both, those of the first in front.
func (c Columns) Union(other Columns) Columns {
	all := slices.Clone(c)
	for _, column := range other {
		if len(all) < mostColumns && c.index(column.Name) < 0 {
			all = append(all, column)
		}
	}
	return all
}

func (c Columns) index(name string) int {
	return slices.IndexFunc(c, func(column Column) bool { return column.Name == name })
}

// raw are the definitions, that of the cluster in front.
func (c Columns) raw() []byte {
	to := append([]byte{'['}, clusterColumn...)
	for _, column := range c {
		to = append(append(to, ','), column.Raw...)
	}
	return append(to, ']')
}
