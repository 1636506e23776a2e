package content

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// Transforms are a Restore's changes to objects, ready to be applied.
type Transforms []transform

type transform struct {
	resource   string
	operations []operation
}

type operation struct {
	op     string
	path   string
	tokens []string
	value  any
}

// CompileTransforms reads a Restore's transforms. The error names the field.
func CompileTransforms(specs []backupv1alpha1.Transform) (Transforms, error) {
	compiled := make(Transforms, 0, len(specs))
	for i, spec := range specs {
		t := transform{resource: spec.Resource}
		for j, patch := range spec.Patch {
			o, err := compileOperation(patch)
			if err != nil {
				return nil, fmt.Errorf("spec.transforms[%d].patch[%d].%w", i, j, err)
			}
			t.operations = append(t.operations, o)
		}
		compiled = append(compiled, t)
	}
	return compiled, nil
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// compileOperation refuses what would make another object of the one it changes:
// the place an object goes to is the namespaceMapping's.
func compileOperation(patch backupv1alpha1.PatchOperation) (operation, error) {
	o := operation{op: patch.Op, path: patch.Path}
	if !slices.Contains([]string{"add", "remove", "replace"}, o.op) {
		return o, fmt.Errorf("op: %q is none of add, remove and replace", o.op)
	}
	if !strings.HasPrefix(o.path, "/") {
		return o, fmt.Errorf("path: %q must begin with /, such as /spec/replicas", o.path)
	}
	for token := range strings.SplitSeq(o.path[1:], "/") {
		o.tokens = append(o.tokens, unescape.Replace(token))
	}
	switch {
	case slices.Contains([]string{"apiVersion", "kind", "status", ""}, o.tokens[0]), o.path == "/metadata":
		return o, fmt.Errorf("path: %s cannot be changed, name a field in metadata or spec", o.path)
	case o.tokens[0] == "metadata" && slices.Contains([]string{"namespace", "uid", "resourceVersion", "ownerReferences", "managedFields"}, o.tokens[1]):
		return o, fmt.Errorf("path: %s cannot be changed; namespaces are changed by spec.namespaceMapping", o.path)
	}
	if o.op == "remove" {
		return o, nil
	}
	if patch.Value == nil || len(patch.Value.Raw) == 0 {
		return o, fmt.Errorf("value: is needed for %s", o.op)
	}
	if err := json.Unmarshal(patch.Value.Raw, &o.value); err != nil {
		return o, fmt.Errorf("value: %w", err)
	}
	return o, nil
}

// Operation is one operation of a Restore's transforms, by its indexes.
type Operation struct{ Transform, Patch int }

// Apply changes the object by all transforms for its resource. The error names
// the path at which the object does not allow the change; the object may then be
// half changed.
//
// One transform is meant for many objects that differ. So what add and replace
// need on the way to their field is created, replace of a missing field adds it,
// and remove of a missing field has nothing to do.
func (t Transforms) Apply(resource Resource, object map[string]any) error {
	_, err := t.apply(resource, object)
	return err
}

// apply also says which operations had nothing to remove.
func (t Transforms) apply(resource Resource, object map[string]any) ([]Operation, error) {
	var ineffective []Operation
	for i := range t {
		if !t.Matches(i, resource) {
			continue
		}
		for j, o := range t[i].operations {
			if o.op == "remove" && !o.finds(object) {
				ineffective = append(ineffective, Operation{i, j})
				continue
			}
			if _, err := o.change(object, 0); err != nil {
				return nil, fmt.Errorf("spec.transforms[%d]: %s %s: %w", i, o.op, o.path, err)
			}
		}
	}
	return ineffective, nil
}

// Matches says whether a transform is for a resource.
func (t Transforms) Matches(index int, resource Resource) bool {
	return t[index].resource == "" || resource.Matches([]string{t[index].resource})
}

// Removals calls use for each operation that removes, with its path.
func (t Transforms) Removals(use func(operation Operation, path string)) {
	for i := range t {
		for j, o := range t[i].operations {
			if o.op == "remove" {
				use(Operation{i, j}, o.path)
			}
		}
	}
}

// finds says whether the field that is to be removed may be there; a path that cannot
// be followed is an error of change.
func (o operation) finds(object map[string]any) bool {
	var node any = object
	for _, token := range o.tokens {
		switch in := node.(type) {
		case map[string]any:
			child, ok := in[token]
			if !ok {
				return false
			}
			node = child
		case nil:
			return false
		default:
			return true
		}
	}
	return true
}

// change makes the change below node, which is at tokens[:depth], and returns the
// node to put in its place.
func (o operation) change(node any, depth int) (any, error) {
	switch node := node.(type) {
	case map[string]any:
		return o.changeMap(node, depth)
	case []any:
		return o.changeList(node, depth)
	case nil:
		if o.op == "remove" {
			return node, nil
		}
		if o.tokens[depth] == "-" || o.tokens[depth] == "0" {
			return o.changeList([]any{}, depth)
		}
		return o.changeMap(map[string]any{}, depth)
	}
	return nil, fmt.Errorf("/%s is neither an object nor a list", strings.Join(o.tokens[:depth], "/"))
}

func (o operation) changeMap(node map[string]any, depth int) (any, error) {
	key := o.tokens[depth]
	if depth == len(o.tokens)-1 {
		if o.op == "remove" {
			delete(node, key)
		} else {
			node[key] = runtime.DeepCopyJSONValue(o.value)
		}
		return node, nil
	}
	before, existed := node[key]
	if !existed && o.op == "remove" {
		return node, nil
	}
	child, err := o.change(before, depth+1)
	if err != nil {
		return nil, err
	}
	node[key] = child
	return node, nil
}

func (o operation) changeList(node []any, depth int) (any, error) {
	token, last := o.tokens[depth], depth == len(o.tokens)-1
	index, err := strconv.Atoi(token)
	switch {
	case token == "-" && o.op != "remove":
		index = len(node)
	case err != nil || index < 0 || strconv.Itoa(index) != token:
		return nil, fmt.Errorf("/%s is a list, so %q must be an index in it", strings.Join(o.tokens[:depth], "/"), token)
	}
	if o.op == "remove" && index >= len(node) {
		return node, nil
	}
	if index > len(node) || (index == len(node) && o.op == "replace" && token != "-" && len(node) > 0) {
		return nil, fmt.Errorf("/%s has only %d elements", strings.Join(o.tokens[:depth], "/"), len(node))
	}
	if !last {
		var before any
		if index < len(node) {
			before = node[index]
		}
		child, err := o.change(before, depth+1)
		if err != nil {
			return nil, err
		}
		if index == len(node) {
			return append(node, child), nil
		}
		node[index] = child
		return node, nil
	}
	switch {
	case o.op == "remove":
		return slices.Delete(node, index, index+1), nil
	case o.op == "add" || index == len(node):
		return slices.Insert(node, index, runtime.DeepCopyJSONValue(o.value)), nil
	}
	node[index] = runtime.DeepCopyJSONValue(o.value)
	return node, nil
}
