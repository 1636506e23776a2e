package federate

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Overrides are JSON patch operations (RFC 6902) as KubeFed's library applied
// them, that is: replace of a missing key adds it, an absent value is null, and a
// negative index counts from the end of the list. Where such an index is out of
// range, which could crash KubeFed, it is an error.
//
// The patch is applied to the decoded tree, copying only the maps and lists on
// the way to a change, each once however many overrides change it. That saves
// decoding and encoding the template once per cluster, and it lets a message say
// what kind of value is at the place where the path ends. Messages never hold
// values: what is overridden may be a Secret.
const (
	opAdd     = "add"
	opRemove  = "remove"
	opReplace = "replace"
)

// MaxOverrides is how many overrides of one cluster are carried out. KubeFed had
// no bound; this one is far above what people write, and keeps an object that
// consists of nothing else from taking seconds of the controller's time.
const MaxOverrides = 5000

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

// applyOverrides returns the patched tree; doc is not modified. hits says which fields
// paths with negative indices mean. What both say of a Secret names the fields of Secrets
// and the keys that there are: who has mistaken one field of an override for another has
// the password in a path, or in an op.
func applyOverrides(doc map[string]any, overrides []Override, secret bool) (patched map[string]any, hits []string, fault *patchFault) {
	changed, hits, fault := patchAll(doc, overrides, secret, isOfObject)
	if fault != nil {
		return nil, nil, fault
	}
	return changed.(map[string]any), hits, nil // it is of the kind that was given
}

// patchAll carries out overrides on an object or on what else check lets paths lead into.
func patchAll(doc any, overrides []Override, secret bool, check func(path string, tokens []string, secret bool) (fault string)) (patched any, hits []string, fault *patchFault) {
	if len(overrides) > MaxOverrides {
		return nil, nil, &patchFault{MaxOverrides, "path", fmt.Sprintf("is one too many: a cluster can have %d overrides, and has %d", MaxOverrides, len(overrides))}
	}
	seen := make(map[string]int, len(overrides))
	var own copies
	for i := range overrides {
		override := &overrides[i]
		if first, again := seen[override.Path]; again {
			return nil, nil, &patchFault{i, "path", fmt.Sprintf("%s appears more than once for the cluster, first in clusterOverrides[%d]", shownPath(override.Path, secret), first)}
		}
		seen[override.Path] = i
		switch override.operation() {
		case opAdd, opRemove, opReplace:
		default:
			said := strconv.Quote(clip(override.Op, 40))
			if secret {
				said = "this"
			}
			return nil, nil, &patchFault{i, "op", said + " is not supported, use add, remove or replace"}
		}
		tokens, message := splitPointer(override.Path, secret)
		if message == "" {
			message = check(override.Path, tokens, secret)
		}
		if message != "" {
			return nil, nil, &patchFault{i, "path", message}
		}
		p := patch{op: override.operation(), tokens: tokens, value: override.Value, own: &own, secret: secret}
		if object, ok := doc.(map[string]any); ok {
			doc = p.withParent(object)
		}
		if doc, message = p.apply(doc, 0); message != "" {
			return nil, nil, &patchFault{i, "path", message}
		}
		if p.hit != nil {
			hit := patch{tokens: p.hit, secret: secret}
			hits = append(hits, p.pointer(len(p.tokens))+" is "+hit.pointer(len(p.hit)))
		}
	}
	return doc, hits, nil
}

// CheckPatch says which operation can be carried out on no object at all, whatever it holds, as an
// error as Patch's; nil if there is none.
func CheckPatch(overrides []Override) error { return checkPatch(overrides, isOfObject) }

// CheckDocumentPatch is CheckPatch of operations on a document.
func CheckDocumentPatch(overrides []Override) error {
	return checkPatch(overrides, func(string, []string, bool) string { return "" })
}

func checkPatch(overrides []Override, check func(path string, tokens []string, secret bool) (fault string)) error {
	for i := range overrides {
		tokens, message := splitPointer(overrides[i].Path, false)
		if message == "" {
			message = check(overrides[i].Path, tokens, false)
		}
		if message != "" {
			return &ModifyError{Field: "[" + strconv.Itoa(i) + "].path", Message: message}
		}
	}
	return nil
}

// PatchDocument carries out overrides on a document of any kind, an object or a list, which is
// not modified. The error is as Patch's. secret says that it is of a Secret: all in it is the
// Secret's value, its keys too, so the error says only which operation is at fault.
func PatchDocument(document any, overrides []Override, secret bool) (any, error) {
	patched, _, fault := patchAll(document, overrides, secret, func(string, []string, bool) string { return "" })
	if fault != nil && secret {
		fault.message = "does not fit the document, which is not shown: it is of a Secret"
	}
	if fault != nil {
		return nil, &ModifyError{Field: "[" + strconv.Itoa(fault.index) + "]." + fault.field, Message: fault.message}
	}
	return patched, nil
}

// Patch carries out overrides on an object, which is not modified, as the Renderer does
// for a cluster. The error is a *ModifyError whose field is [i] and the field of the
// override in fault; secret says that the object is a Secret, so that it names no keys.
func Patch(object map[string]any, overrides []Override, secret bool) (map[string]any, error) {
	patched, _, fault := applyOverrides(object, overrides, secret)
	if fault != nil {
		return nil, &ModifyError{Field: "[" + strconv.Itoa(fault.index) + "]." + fault.field, Message: fault.message}
	}
	return patched, nil
}

var pointerEscapes = strings.NewReplacer("~1", "/", "~0", "~")

// splitPointer splits a JSON pointer.
func splitPointer(path string, secret bool) (tokens []string, fault string) {
	switch {
	case path == "":
		return nil, "is empty: the whole object cannot be overridden, name a field, e.g. /spec/replicas"
	case path[0] != '/':
		return nil, strconv.Quote(shownPath(path, secret)) + " must start with /, e.g. /spec/replicas"
	}
	tokens = strings.Split(path[1:], "/")
	if strings.Contains(path, "~") {
		for i := range tokens {
			tokens[i] = pointerEscapes.Replace(tokens[i])
		}
	}
	return tokens, ""
}

// Lookup is what the path of an override leads to in an object.
func Lookup(object map[string]any, path string) (value any, found bool) {
	tokens, fault := splitPointer(path, false)
	if fault != "" {
		return nil, false
	}
	p := patch{tokens: tokens}
	value = object
	for depth, token := range tokens {
		switch in := value.(type) {
		case map[string]any:
			if value, found = in[token]; !found {
				return nil, false
			}
		case []any:
			i, fault := p.index(depth, len(in), len(in))
			if fault != "" {
				return nil, false
			}
			value = in[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// isOfObject refuses pointers that would change what an object is: kind and name tie it to
// the federated object. The apiVersion may be another version of the same group, which
// finish sees to.
func isOfObject(path string, tokens []string, secret bool) (fault string) {
	switch tokens[0] {
	case "kind":
		return shownPath(path, secret) + " cannot be overridden: the type is the same in every cluster"
	case "metadata":
		if len(tokens) == 1 {
			return path + " cannot be overridden as a whole, name a field in it, e.g. /metadata/labels"
		}
		switch tokens[1] {
		case "name", "namespace", "generateName":
			return shownPath(path, secret) + " cannot be overridden: name and namespace are those of the federated object"
		}
	}
	return ""
}

// copies are the maps and lists that were made for one patched tree, so that they
// may be changed in place. They are known by where they are in memory, which is
// unambiguous because the entries keep them alive.
type copies struct {
	maps  map[uintptr]map[string]any
	lists map[uintptr][]any
}

// writable returns node, or a copy of it if it is shared.
func (c *copies) writable(node map[string]any) map[string]any {
	if _, own := c.maps[reflect.ValueOf(node).Pointer()]; own {
		return node
	}
	node = maps.Clone(node)
	if node == nil {
		node = map[string]any{}
	}
	if c.maps == nil {
		c.maps = map[uintptr]map[string]any{}
	}
	c.maps[reflect.ValueOf(node).Pointer()] = node
	return node
}

// writableList is writable for lists. A list without room has no place in memory
// of its own; copying one costs nothing.
func (c *copies) writableList(node []any) []any {
	if c.ownsList(node) {
		return node
	}
	return c.keepList(slices.Clone(node))
}

func (c *copies) ownsList(node []any) bool {
	if cap(node) == 0 {
		return false
	}
	_, own := c.lists[reflect.ValueOf(node).Pointer()]
	return own
}

// keepList notes that a list was made here, also after it has grown elsewhere.
func (c *copies) keepList(node []any) []any {
	if cap(node) == 0 {
		return node
	}
	if c.lists == nil {
		c.lists = map[uintptr][]any{}
	}
	c.lists[reflect.ValueOf(node).Pointer()] = node
	return node
}

// patch is one operation.
type patch struct {
	op     string
	tokens []string
	value  any
	own    *copies
	secret bool // what is patched
	// hit are the tokens with the indices that negative ones mean; nil if there are none.
	hit []string
}

// withParent gives the object the labels or annotations that a patch adds to.
// Every object has room for them, whether or not the template lists any.
func (p *patch) withParent(doc map[string]any) map[string]any {
	if len(p.tokens) != 3 || p.op == opRemove || p.tokens[0] != "metadata" || (p.tokens[1] != "labels" && p.tokens[1] != "annotations") {
		return doc
	}
	metadata, ok := doc["metadata"].(map[string]any)
	if !ok || metadata[p.tokens[1]] != nil {
		return doc
	}
	metadata = p.own.writable(metadata)
	metadata[p.tokens[1]] = map[string]any{}
	doc = p.own.writable(doc)
	doc["metadata"] = metadata
	return doc
}

// apply returns node, which is at tokens[:depth], or a copy of it, with the change
// made below it; a message when it cannot be made.
func (p *patch) apply(node any, depth int) (any, string) {
	switch node := node.(type) {
	case map[string]any:
		return p.applyMap(node, depth)
	case []any:
		return p.applyList(node, depth)
	}
	return nil, p.pointer(depth) + " is " + DescribeValue(node) + ", so there is nothing at " + p.pointer(len(p.tokens))
}

func (p *patch) applyMap(node map[string]any, depth int) (any, string) {
	key := p.tokens[depth]
	child, ok := node[key]
	if depth == len(p.tokens)-1 {
		if p.op == opRemove {
			if !ok {
				return nil, "there is no " + p.pointer(depth+1) + " to remove: " + p.keys(node, depth)
			}
			node = p.own.writable(node)
			delete(node, key)
			return node, ""
		}
		node = p.own.writable(node)
		node[key] = p.value
		return node, ""
	}
	if child == nil {
		return nil, "there is no " + p.pointer(depth+1) + ": " + p.keys(node, depth) + p.slashHint(node, depth)
	}
	child, message := p.apply(child, depth+1)
	if message != "" {
		return nil, message
	}
	node = p.own.writable(node)
	node[key] = child
	return node, ""
}

func (p *patch) applyList(node []any, depth int) (any, string) {
	last := depth == len(p.tokens)-1
	limit := len(node)
	if last && p.op == opAdd {
		limit++
		if p.tokens[depth] == "-" {
			return p.own.keepList(append(p.own.writableList(node), p.value)), ""
		}
	}
	index, message := p.index(depth, limit, len(node))
	if message != "" {
		return nil, message
	}
	if last {
		node = p.own.writableList(node)
		switch p.op {
		case opAdd:
			return p.own.keepList(slices.Insert(node, index, p.value)), ""
		case opRemove:
			return slices.Delete(node, index, index+1), ""
		}
		node[index] = p.value
		return node, ""
	}
	child, message := p.apply(node[index], depth+1)
	if message != "" {
		return nil, message
	}
	node = p.own.writableList(node)
	node[index] = child
	return node, ""
}

// index reads the token as an index below limit of a list of length elements. A
// negative one counts from the end, -1 being the last element, and for an add the
// place after it: as KubeFed's library counted.
func (p *patch) index(depth, limit, length int) (int, string) {
	token, list := p.tokens[depth], p.pointer(depth)
	shown := p.shown(token)
	index, err := strconv.Atoi(token)
	switch {
	case token == "-":
		return 0, "- stands for the end of the list " + list + " and can only be the last part of the path of an add"
	case err == nil && index < -limit:
		return 0, fmt.Sprintf("the index %s is out of range: %s has %d elements, and negative indices count from its end", shown, list, length)
	case err != nil || token[0] == '+':
		return 0, fmt.Sprintf("%s is a list of %d elements, so %s must be an index", list, length, strconv.Quote(clip(shown, 40)))
	case index >= limit:
		return 0, fmt.Sprintf("the index %s is out of range: %s has %d elements, counted from 0", shown, list, length)
	case index < 0:
		if p.hit == nil {
			p.hit = slices.Clone(p.tokens)
		}
		p.hit[depth] = strconv.Itoa(index + limit)
		return index + limit, ""
	}
	return index, ""
}

// slashHint says how to write a key that holds a slash, where the path seems to
// mean one: in a JSON pointer an unescaped slash begins the next part.
func (p *patch) slashHint(node map[string]any, depth int) string {
	for end := depth + 2; end <= len(p.tokens) && !p.secret; end++ {
		key := strings.Join(p.tokens[depth:end], "/")
		_, there := node[key]
		if there || depth == 2 && end == len(p.tokens) && p.tokens[0] == "metadata" {
			escaped := patch{tokens: append(slices.Clone(p.tokens[:depth]), key)}
			return "; a slash in a key is written ~1: " + escaped.pointer(depth+1)
		}
	}
	return ""
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
		b.WriteString(pointerEscaper.Replace(clip(p.shown(token), 60)))
		if b.Len() > 300 {
			return b.String() + "…"
		}
	}
	return b.String()
}
