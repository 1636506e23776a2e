package federate

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Overrides are JSON patch operations (RFC 6902) as KubeFed's library applied
// them, that is: replace of a missing key adds it, and an absent value is null.
// KubeFed's negative indexes, which could crash it, are errors.
//
// The patch is applied to the decoded tree, copying only the maps and lists on
// the way to the change. That saves decoding and encoding the template once per
// cluster, and it lets a message say what is at the place where the path ends.
const (
	opAdd     = "add"
	opRemove  = "remove"
	opReplace = "replace"
)

func (v *Override) operation() string {
	if v.Op == "" {
		return opReplace
	}
	return v.Op
}

// patchFault says which override does not apply, which of its fields is at fault, and why.
type patchFault struct {
	index   int
	field   string
	message string
}

// applyOverrides returns the patched tree; doc is not modified.
func applyOverrides(doc map[string]any, overrides []Override) (map[string]any, *patchFault) {
	seen := make(map[string]int, len(overrides))
	for i := range overrides {
		override := &overrides[i]
		if first, again := seen[override.Path]; again {
			return nil, &patchFault{i, "path", fmt.Sprintf("%s appears more than once for the cluster, first in clusterOverrides[%d]", clip(override.Path, 200), first)}
		}
		seen[override.Path] = i
		switch override.operation() {
		case opAdd, opRemove, opReplace:
		default:
			return nil, &patchFault{i, "op", strconv.Quote(clip(override.Op, 40)) + " is not supported, use add, remove or replace"}
		}
		tokens, message := parsePointer(override.Path)
		if message != "" {
			return nil, &patchFault{i, "path", message}
		}
		p := patch{op: override.operation(), tokens: tokens, value: override.Value}
		patched, message := p.apply(withParent(doc, &p), 0)
		if message != "" {
			return nil, &patchFault{i, "path", message}
		}
		doc = patched.(map[string]any) // apply returns the kind of container it is given
	}
	return doc, nil
}

var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// parsePointer splits a JSON pointer and refuses the ones that would change what
// the object is: type and name tie it to the federated object.
func parsePointer(path string) (tokens []string, fault string) {
	switch {
	case path == "":
		return nil, "is empty: the whole object cannot be overridden, name a field, e.g. /spec/replicas"
	case path[0] != '/':
		return nil, strconv.Quote(clip(path, 200)) + " must start with /, e.g. /spec/replicas"
	}
	tokens = strings.Split(path[1:], "/")
	if strings.Contains(path, "~") {
		for i := range tokens {
			tokens[i] = pointerEscapes.Replace(tokens[i])
		}
	}
	switch tokens[0] {
	case "apiVersion", "kind":
		return nil, clip(path, 200) + " cannot be overridden: the type is the same in every cluster"
	case "metadata":
		if len(tokens) == 1 {
			return nil, path + " cannot be overridden as a whole, name a field in it, e.g. /metadata/labels"
		}
		switch tokens[1] {
		case "name", "namespace", "generateName":
			return nil, clip(path, 200) + " cannot be overridden: name and namespace are those of the federated object"
		}
	}
	return tokens, ""
}

// withParent gives the object the labels or annotations that a patch adds to.
// Every object has room for them, whether or not the template lists any.
func withParent(doc map[string]any, p *patch) map[string]any {
	if len(p.tokens) != 3 || p.op == opRemove || p.tokens[0] != "metadata" || (p.tokens[1] != "labels" && p.tokens[1] != "annotations") {
		return doc
	}
	metadata, ok := doc["metadata"].(map[string]any)
	if !ok || metadata[p.tokens[1]] != nil {
		return doc
	}
	metadata = maps.Clone(metadata)
	metadata[p.tokens[1]] = map[string]any{}
	doc = maps.Clone(doc)
	doc["metadata"] = metadata
	return doc
}

// patch is one operation.
type patch struct {
	op     string
	tokens []string
	value  any
}

// apply returns a copy of node, which is at tokens[:depth], with the change made
// below it; a message when it cannot be made.
func (p *patch) apply(node any, depth int) (any, string) {
	switch node := node.(type) {
	case map[string]any:
		return p.applyMap(node, depth)
	case []any:
		return p.applyList(node, depth)
	}
	return nil, p.pointer(depth) + " is " + describe(node) + ", so there is nothing at " + p.pointer(len(p.tokens))
}

func (p *patch) applyMap(node map[string]any, depth int) (any, string) {
	key := p.tokens[depth]
	child, ok := node[key]
	if depth == len(p.tokens)-1 {
		if p.op == opRemove {
			if !ok {
				return nil, "there is no " + p.pointer(depth+1) + " to remove: " + p.keys(node, depth)
			}
			node = maps.Clone(node)
			delete(node, key)
			return node, ""
		}
		return withKey(node, key, p.value), ""
	}
	if child == nil {
		return nil, "there is no " + p.pointer(depth+1) + ": " + p.keys(node, depth)
	}
	child, message := p.apply(child, depth+1)
	if message != "" {
		return nil, message
	}
	return withKey(node, key, child), ""
}

func (p *patch) applyList(node []any, depth int) (any, string) {
	last := depth == len(p.tokens)-1
	limit := len(node)
	if last && p.op == opAdd {
		limit++
		if p.tokens[depth] == "-" {
			return append(slices.Clip(node), p.value), ""
		}
	}
	index, message := p.index(depth, limit, len(node))
	if message != "" {
		return nil, message
	}
	if last {
		switch p.op {
		case opAdd:
			return slices.Insert(slices.Clone(node), index, p.value), ""
		case opRemove:
			return slices.Delete(slices.Clone(node), index, index+1), ""
		}
		return withIndex(node, index, p.value), ""
	}
	child, message := p.apply(node[index], depth+1)
	if message != "" {
		return nil, message
	}
	return withIndex(node, index, child), ""
}

// index reads the token as an index below limit of a list of length elements.
func (p *patch) index(depth, limit, length int) (int, string) {
	token, list := p.tokens[depth], p.pointer(depth)
	index, err := strconv.Atoi(token)
	switch {
	case token == "-":
		return 0, "- stands for the end of the list " + list + " and can only be the last part of the path of an add"
	case err == nil && index < 0:
		return 0, fmt.Sprintf("the index %s is negative: %s has %d elements, counted from 0", token, list, length)
	case err != nil || token[0] == '+':
		return 0, fmt.Sprintf("%s is a list of %d elements, so %s must be an index", list, length, strconv.Quote(clip(token, 40)))
	case index >= limit:
		return 0, fmt.Sprintf("the index %d is out of range: %s has %d elements, counted from 0", index, list, length)
	}
	return index, ""
}

// keys says what an object has, for a message about what it has not.
func (p *patch) keys(node map[string]any, depth int) string {
	const most = 8
	at := p.pointer(depth)
	if depth == 0 {
		at = "the object"
	}
	if len(node) == 0 {
		return at + " is empty"
	}
	names := slices.Sorted(maps.Keys(node))
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	for i := range names {
		names[i] = clip(names[i], 60)
	}
	return at + " has " + strings.Join(names, ", ") + more
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns the first n tokens as a JSON pointer, shortened for messages.
func (p *patch) pointer(n int) string {
	var b strings.Builder
	for _, token := range p.tokens[:n] {
		b.WriteByte('/')
		b.WriteString(pointerEscaper.Replace(clip(token, 60)))
		if b.Len() > 300 {
			return b.String() + "…"
		}
	}
	return b.String()
}

func withKey(node map[string]any, key string, value any) map[string]any {
	node = maps.Clone(node)
	if node == nil {
		node = map[string]any{}
	}
	node[key] = value
	return node
}

func withIndex(node []any, index int, value any) []any {
	node = slices.Clone(node)
	node[index] = value
	return node
}
