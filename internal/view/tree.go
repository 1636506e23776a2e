package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// MostOwned is how many objects of one cluster a tree has, and deepest how far down it goes.
const (
	MostOwned = 500
	deepest   = 10
)

// Owned is an object of a cluster, and whose it is.
type Owned struct {
	UID string
	// Owners are the UIDs of those that own it.
	Owners    []string
	Kind      string
	Namespace string
	Name      string
}

// Tree is an object and what it owns, or a cluster and what is in it.
type Tree struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Health is how an object fares, one of the words of workload.HealthStatus, or what became
	// of it in a cluster.
	Health  string `json:"health,omitempty"`
	Message string `json:"message,omitempty"`
	// Event is the last one of an object that is not healthy.
	Event    *MemberEvent `json:"event,omitempty"`
	Children []*Tree      `json:"children,omitempty"`
	// More is how many children are not shown.
	More int `json:"more,omitempty"`

	// UID of the object, by which its health is found.
	UID string `json:"-"`
}

// NewTree is an object with what it owns and what that owns, by kind and name, up to a number
// and a depth. One that names itself as its owner, over others or not, is there once.
func NewTree(root Owned, objects []Owned, most int) *Tree {
	byOwner := map[string][]Owned{}
	for _, o := range objects {
		for _, owner := range o.Owners {
			byOwner[owner] = append(byOwner[owner], o)
		}
	}
	seen := map[string]bool{root.UID: true}
	tree := nodeOf(root)
	for level, depth := []*Tree{tree}, 0; len(level) > 0; depth++ {
		var next []*Tree
		for _, node := range level {
			for _, o := range sortedOwned(byOwner[node.UID]) {
				switch {
				case seen[o.UID]:
				case len(seen) >= most || depth >= deepest:
					node.More++
				default:
					seen[o.UID] = true
					child := nodeOf(o)
					node.Children = append(node.Children, child)
					next = append(next, child)
				}
			}
		}
		level = next
	}
	return tree
}

func nodeOf(o Owned) *Tree {
	return &Tree{
		Kind: errtext.Bounded(o.Kind, wordsOfMember), Namespace: errtext.Bounded(o.Namespace, wordsOfMember),
		Name: errtext.Bounded(o.Name, 2*wordsOfMember), UID: o.UID,
	}
}

func sortedOwned(objects []Owned) []Owned {
	slices.SortFunc(objects, func(a, b Owned) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return objects
}

// Each calls do with a node and all below it.
func (t *Tree) Each(do func(*Tree)) {
	do(t)
	for _, child := range t.Children {
		child.Each(do)
	}
}

// TreeTable lays a tree out, one row for each object.
func TreeTable(root *Tree, now time.Time) *metav1.Table {
	table := &metav1.Table{ColumnDefinitions: []metav1.TableColumnDefinition{
		{Name: "Object", Type: "string"}, {Name: "Health", Type: "string"}, {Name: "Message", Type: "string"},
	}}
	root.appendTo(table, "", "", now)
	return table
}

// appendTo adds the rows: mark is before the node itself, under before what is below it.
func (t *Tree) appendTo(table *metav1.Table, mark, under string, now time.Time) {
	name := t.Kind + "/" + t.Name
	table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{mark + name, Text(t.Health), t.says(now)}})
	for i, child := range t.Children {
		if i == len(t.Children)-1 && t.More == 0 {
			child.appendTo(table, under+"└─ ", under+"   ", now)
		} else {
			child.appendTo(table, under+"├─ ", under+"│  ", now)
		}
	}
	if t.More > 0 {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: []any{fmt.Sprintf("%s└─ … %d more", under, t.More), Text(""), ""}})
	}
}

// says is the message and the event in one line.
func (t *Tree) says(now time.Time) string {
	var parts []string
	if t.Message != "" {
		parts = append(parts, t.Message)
	}
	if e := t.Event; e != nil {
		parts = append(parts, fmt.Sprintf("%s %s ago: %s", e.Reason, e.seen(now), e.Message))
	}
	return strings.Join(parts, "; ")
}
