package members

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

const jointPage = "500"

// part is what one member has of a list.
type part struct {
	union.Head
	items    [][]byte
	objects  *union.Known
	notFound error
}

// listing is what was listed last, for the watch that goes on from there.
type listing struct {
	head    union.Head
	columns union.Columns
	parts   map[string]*part // without their items
	missing []union.Missing
}

var errNotJSON = errors.New("several members are read in JSON")

// read is a list of what the members have, of a resource or of the objects of one name.
func (j *joint) read(r *http.Request, found *Reached) ([]byte, error) {
	form, ok := union.Accept(r.Header["Accept"])
	if !ok {
		return nil, errNotJSON
	}
	parts := Each(r.Context(), found, func(ctx context.Context, m Member) (p *part, err error) {
		if !isNamed(r.URL.Path) {
			return j.caller(m).list(ctx, r.URL.Path, form, r.URL.Query())
		}
		p, err = j.caller(m).object(ctx, r.URL.Path, form, r.URL.Query())
		if isAbsent(err, path.Base(r.URL.Path)) {
			return &part{notFound: err}, nil
		}
		return p, err
	})
	body, last, err := joined(parts, form, found)
	if err == nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.last = last
	}
	return body, err
}

// isAbsent says of an error that there is no object of the name. A member that does not serve
// the type answers 404 as well, but of no name.
func isAbsent(err error, name string) bool {
	status := apierrors.APIStatus(nil)
	return apierrors.IsNotFound(err) && errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Name == name
}

// isNamed says whether a path is that of an object, not of a resource.
func isNamed(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	prefix := 2 // api, version
	if parts[0] == "apis" {
		prefix = 3 // apis, group, version
	}
	parts = parts[min(prefix, len(parts)):]
	if len(parts) > 2 && parts[0] == "namespaces" {
		parts = parts[2:]
	}
	return len(parts) > 1
}

// object reads one: a table of it has a row.
func (c *caller) object(ctx context.Context, path string, form union.Form, query url.Values) (*part, error) {
	p := &part{objects: union.NewKnown()}
	return p, c.ask(ctx, path, form.Object(), query, func(from io.Reader) error {
		if form.As == union.Table {
			return p.take(from, form)
		}
		object, err := io.ReadAll(from)
		if err == nil && !json.Valid(object) {
			err = errors.New("what it says is no object")
		}
		if err != nil {
			return err
		}
		p.Head, p.items = union.ListHead(object), [][]byte{bytes.TrimSpace(object)}
		return nil
	})
}

// list reads all pages.
func (c *caller) list(ctx context.Context, path string, form union.Form, query url.Values) (*part, error) {
	ctx = answers.WithPages(ctx, &answers.Pages{})
	p := &part{objects: union.NewKnown()}
	query = maps.Clone(query)
	query.Set("limit", jointPage)
	for {
		if err := c.ask(ctx, path, form.List(), query, func(from io.Reader) error { return p.take(from, form) }); err != nil {
			return nil, err
		}
		if p.Continue == "" {
			return p, nil
		}
		query.Set("continue", p.Continue)
	}
}

// take reads the items of a list.
func (p *part) take(from io.Reader, form union.Form) error {
	list := union.NewList(from, form)
	for {
		item, err := list.Next()
		if errors.Is(err, io.EOF) {
			columns := p.Columns
			if p.Head = list.Head; columns != nil {
				p.Columns = columns
			}
			return nil
		} else if err != nil {
			return err
		}
		id, err := form.IdentityOf(item)
		if err != nil {
			return err
		}
		p.objects.Note(union.Added, id)
		p.items = append(p.items, bytes.Clone(item))
	}
}

// joined is one list of those of the members, and what a watch of them begins with.
func joined(parts map[string]*part, form union.Form, found *Reached) (body []byte, last listing, err error) {
	var heads []union.Head
	var columns union.Columns
	var notFound error
	names := slices.Sorted(maps.Keys(parts))
	for _, name := range names {
		if p := parts[name]; p.notFound != nil {
			notFound = p.notFound
		} else {
			heads = append(heads, p.Head)
			columns = columns.Union(p.Columns)
		}
	}
	switch {
	case len(heads) == 0 && notFound != nil:
		return nil, last, notFound
	case len(heads) == 0:
		return nil, last, noneAnswers(found)
	}
	head, version := union.MostSay(heads), union.Version{}
	body, begun := union.AppendHead(nil, head, columns), false
	last = listing{head: head, columns: columns, parts: map[string]*part{}}
	for _, name := range names {
		p := parts[name]
		if p.notFound != nil {
			continue
		}
		if !p.Same(head) {
			found.Missing = append(found.Missing, union.Missing{Cluster: name, Reason: union.Invalid, Message: "its list is of another kind than most say"})
			continue
		}
		more, err := appendItems(body, p.items, begun, form, head, union.MappingOf(columns, p.Columns), name)
		if err != nil {
			found.Missing = append(found.Missing, union.Missing{Cluster: name, Reason: union.Invalid, Message: err.Error()})
			continue
		}
		body, begun = more, begun || len(p.items) > 0
		version.Set(name, p.ResourceVersion)
		last.parts[name] = &part{Head: p.Head, objects: p.objects}
	}
	last.missing = found.Missing
	return union.AppendTail(append(body, ']'), version, nil, found.Missing), last, nil
}

// appendItems appends those of one member, or none.
func appendItems(to []byte, items [][]byte, begun bool, form union.Form, head union.Head, mapping union.Mapping, cluster string) ([]byte, error) {
	mark := union.Mark{Cluster: cluster}
	if form.As != union.Table {
		mark.Kind, mark.APIVersion = head.ItemKind(), head.APIVersion
	}
	for _, item := range items {
		if begun {
			to = append(to, ',')
		}
		begun = true
		var err error
		if form.As == union.Table {
			to, err = union.AppendRow(to, item, mapping, mark)
		} else {
			to, err = union.AppendObject(to, item, mark)
		}
		if err != nil {
			return nil, err
		}
	}
	return to, nil
}
