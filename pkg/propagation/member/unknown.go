package member

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/federate"
)

// An API server drops fields that the schema of a type does not know when an object is
// created or updated, and refuses to apply an object that has any. It names one of each
// object within the object, so that it takes some tries to know all of them. They are
// remembered, so that it takes none from then on, as long as the schema stays the same.

// schemas remembers what the member's schemas do not know.
type schemas struct {
	discovery rest.Interface
	timeout   time.Duration
	// recheck is how long a schema is taken to be the same without a look.
	recheck time.Duration

	mu sync.RWMutex
	of map[schema.GroupVersionResource]*undeclared
	// forgot is called with a type of which what was remembered is forgotten; it may be nil.
	forgot func(schema.GroupVersionResource)
}

const (
	schemaRecheck = time.Minute
	// schemaForget is after which time it is tried whether the fields are known by now,
	// also where the member does not tell that its schema has changed.
	schemaForget = time.Hour
	// mostUndeclared is how many fields are remembered of a type, and looked for in one Apply.
	mostUndeclared = 64
)

// undeclared are fields that the schema of a type does not know.
type undeclared struct {
	fields fieldTree
	count  int
	// hash is how the member names the schema; empty if it does not.
	hash           string
	since, checked time.Time
}

// fieldTree are fields by the way to them. A nil tree is one of the fields themselves.
type fieldTree map[step]fieldTree

// step is a field of an object, or any item of a list.
type step struct {
	field string
	item  bool
}

// left returns what is to be sent of an object, and which fields are left out.
func (s *schemas) left(ctx context.Context, gvr schema.GroupVersionResource, whole federate.Rendered) (declared federate.Rendered, unknown []string, err error) {
	s.refresh(ctx, gvr)
	s.mu.RLock()
	defer s.mu.RUnlock()
	known := s.of[gvr]
	if known == nil {
		return whole, nil, nil
	}
	declared = whole
	if declared.JSON, unknown, err = known.fields.leaveOut(whole.JSON); err != nil || whole.Initial == nil {
		return declared, unknown, err
	}
	declared.Initial, _, err = known.fields.leaveOut(whole.Initial)
	return declared, unknown, err
}

// refresh forgets what is remembered of a schema that has changed.
func (s *schemas) refresh(ctx context.Context, gvr schema.GroupVersionResource) {
	known, look := s.due(gvr)
	if !look {
		return
	}
	hash := s.hash(ctx, gvr)
	s.mu.Lock()
	forget := s.of[gvr] == known && (hash != "" && hash != known.hash || time.Since(known.since) >= schemaForget)
	if forget {
		delete(s.of, gvr)
	}
	tell := s.forgot
	s.mu.Unlock()
	if forget && tell != nil {
		tell(gvr)
	}
}

// FollowSchemas looks, until ctx ends, whether schemas have changed that did not know some
// fields, and calls forgot with the types of which they may be known by now.
func (a *Applier) FollowSchemas(ctx context.Context, forgot func(schema.GroupVersionResource)) {
	s := &a.schemas
	s.mu.Lock()
	s.forgot = forgot
	s.mu.Unlock()
	wait.UntilWithContext(ctx, func(ctx context.Context) {
		s.mu.RLock()
		types := slices.Collect(maps.Keys(s.of))
		s.mu.RUnlock()
		for _, gvr := range types {
			s.refresh(ctx, gvr)
		}
	}, s.recheck)
}

// due says whether to look again whether a schema has changed.
func (s *schemas) due(gvr schema.GroupVersionResource) (known *undeclared, look bool) {
	s.mu.RLock()
	known = s.of[gvr]
	s.mu.RUnlock()
	if known == nil {
		return nil, false // as is the case for nearly all types
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if look = time.Since(known.checked) >= s.recheck; look {
		known.checked = time.Now()
	}
	return known, look
}

// hash asks the member how it names the schemas of a version of an API group; empty if it
// does not say.
func (s *schemas) hash(ctx context.Context, gvr schema.GroupVersionResource) string {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	raw, err := s.discovery.Get().AbsPath("/openapi/v3").DoRaw(ctx)
	if err != nil {
		return ""
	}
	var index struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		return ""
	}
	path := "apis/" + gvr.Group + "/" + gvr.Version
	if gvr.Group == "" {
		path = "api/" + gvr.Version
	}
	return index.Paths[path].URL
}

const notDeclared = ": field not declared in schema"

// isUndeclared says whether an apply was refused for fields that the schema does not know.
func isUndeclared(err error) bool { return err != nil && strings.Contains(err.Error(), notDeclared) }

// learn remembers the fields that an error names; false if it names none of the object's
// that were not known before.
func (s *schemas) learn(ctx context.Context, gvr schema.GroupVersionResource, sent federate.Rendered, refusal error) bool {
	if !isUndeclared(refusal) {
		return false
	}
	object, err := parse(longest(sent))
	if err != nil {
		return false
	}
	var found [][]step
	for line := range strings.Lines(refusal.Error()) {
		path, _, ok := strings.Cut(line, notDeclared)
		if _, after, single := strings.Cut(path, "): "); single { // after the object's name and kind
			path = after
		}
		if at, is := locate(object.Object, strings.TrimSpace(path)); ok && is && len(at) > 0 {
			found = append(found, at)
		}
	}
	if len(found) == 0 {
		return false
	}
	s.remember(ctx, gvr, found)
	return true
}

// longest is what has the most fields of what is sent of an object.
func longest(sent federate.Rendered) []byte {
	if sent.Initial != nil {
		return sent.Initial
	}
	return sent.JSON
}

func (s *schemas) remember(ctx context.Context, gvr schema.GroupVersionResource, found [][]step) {
	s.mu.Lock()
	known := s.of[gvr]
	s.mu.Unlock()
	if known == nil || known.count+len(found) > mostUndeclared {
		now := time.Now()
		known = &undeclared{fields: fieldTree{}, hash: s.hash(ctx, gvr), since: now, checked: now}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[gvr] = known
	for _, path := range found {
		known.fields.add(path)
		known.count++
	}
}

func (t fieldTree) add(path []step) {
	for ; len(path) > 1; path = path[1:] {
		inner, known := t[path[0]]
		switch {
		case known && inner == nil:
			return // all of it is unknown
		case !known:
			inner = fieldTree{}
			t[path[0]] = inner
		}
		t = inner
	}
	t[path[0]] = nil
}

// leaveOut returns an object without the fields, and which of them it has.
func (t fieldTree) leaveOut(body []byte) (declared []byte, unknown []string, err error) {
	object, err := parse(body)
	if err != nil {
		return nil, nil, err
	}
	t.remove(object.Object, "", &unknown)
	if len(unknown) == 0 {
		return body, nil, nil
	}
	slices.Sort(unknown)
	declared, err = object.MarshalJSON()
	return declared, unknown, err
}

func (t fieldTree) remove(from any, at string, unknown *[]string) {
	switch from := from.(type) {
	case map[string]any:
		for s, inner := range t {
			value, ok := from[s.field]
			switch name := strings.TrimPrefix(at+"."+s.field, "."); {
			case s.item || !ok:
			case inner == nil:
				delete(from, s.field)
				*unknown = append(*unknown, name)
			default:
				inner.remove(value, name, unknown)
			}
		}
	case []any:
		for i, item := range from {
			if inner := t[step{item: true}]; inner != nil {
				inner.remove(item, fmt.Sprintf("%s[%d]", at, i), unknown)
			}
		}
	}
}

// locate finds the way to a field of an object that an API server names, such as
// .spec.containers[name="c"].image. What it says counts only as far as there is such a
// field.
func locate(in any, path string) ([]step, bool) {
	if path == "" {
		return nil, true
	}
	switch in := in.(type) {
	case map[string]any:
		rest, ok := strings.CutPrefix(path, ".")
		if !ok {
			return nil, false
		}
		// Fields may have dots in their names.
		for _, field := range slices.SortedFunc(maps.Keys(in), func(a, b string) int { return cmp.Compare(len(b), len(a)) }) {
			tail, ok := strings.CutPrefix(rest, field)
			if !ok || tail != "" && tail[0] != '.' && tail[0] != '[' {
				continue
			}
			if inner, ok := locate(in[field], tail); ok {
				return append([]step{{field: field}}, inner...), true
			}
		}
	case []any:
		tail, ok := cutItem(path)
		if !ok {
			return nil, false
		}
		// Which item it is does not matter: what the schema does not know in one it knows in none.
		for _, item := range in {
			if inner, ok := locate(item, tail); ok {
				return append([]step{{item: true}}, inner...), true
			}
		}
	}
	return nil, false
}

// cutItem cuts an item's key in brackets, which may hold strings in quotes, off a path.
func cutItem(path string) (tail string, ok bool) {
	if !strings.HasPrefix(path, "[") {
		return "", false
	}
	quoted := false
	for i := 1; i < len(path); i++ {
		switch {
		case quoted && path[i] == '\\':
			i++
		case path[i] == '"':
			quoted = !quoted
		case path[i] == ']' && !quoted:
			return path[i+1:], true
		}
	}
	return "", false
}
