package members

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// Joint is an API server of all members, as clusters/-/proxy of the API of the fleet is, but
// in this process: for members that are reached by contexts. It says what they serve, lists and
// gets; it watches nothing. requireAll makes an error of a member that is missing.
func Joint(reached *Reached, requireAll bool) (*rest.Config, error) {
	j := &joint{reached: reached, clients: map[string]*http.Client{}, requireAll: requireAll}
	for _, m := range reached.Members {
		var err error
		if j.clients[m.Name], err = rest.HTTPClientFor(m.Config); err != nil {
			return nil, fmt.Errorf("cluster %s: %w", m.Name, err)
		}
	}
	return &rest.Config{Host: "https://members.invalid", UserAgent: "fedctl", Transport: j}, nil
}

type joint struct {
	reached    *Reached
	clients    map[string]*http.Client
	requireAll bool
}

const (
	discoveryType  = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
	olderDiscovery = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"
	jointPage      = "500"
)

// RoundTrip implements http.RoundTripper.
func (j *joint) RoundTrip(r *http.Request) (*http.Response, error) {
	found := &Reached{Way: j.reached.Way, Members: j.reached.Members, Missing: slices.Clone(j.reached.Missing)}
	var body []byte
	var err error
	contentType := "application/json"
	switch {
	case r.Method != http.MethodGet || r.URL.Query().Get("watch") != "":
		return nil, errors.New("members that are reached by contexts are listed, not watched or changed together")
	case r.URL.Path == "/api" || r.URL.Path == "/apis":
		contentType = discoveryType
		body, err = j.discover(r, found)
	default:
		body, err = j.read(r, found)
	}
	if err == nil && j.requireAll && len(found.Missing) > 0 && contentType != discoveryType {
		err = apierrors.NewServiceUnavailable("some of the members are missing: " + strings.Join(union.Warnings(found.Missing), "; "))
	}
	response := &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {contentType}}, Request: r}
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		s := status.Status()
		s.Kind, s.APIVersion = "Status", "v1"
		response.StatusCode, response.Header = int(s.Code), http.Header{"Content-Type": {"application/json"}}
		body, err = json.Marshal(s)
	}
	if err != nil {
		return nil, err
	}
	for _, line := range union.Warnings(found.Missing) {
		if value, err := utilnet.NewWarningHeader(299, "fedctl", line); err == nil {
			response.Header.Add("Warning", value)
		}
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

// ask reads one answer of a member. The error is what it says.
func (j *joint) ask(ctx context.Context, m Member, path, accept string, query url.Values, read func(io.Reader) error) error {
	base, _, err := rest.DefaultServerUrlFor(m.Config)
	if err != nil {
		return err
	}
	to := base.JoinPath(path)
	to.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), http.NoBody) //nolint:gosec // where the user's own context leads
	if err != nil {
		return err
	}
	request.Header.Set("Accept", accept)
	response, err := j.clients[m.Name].Do(request) //nolint:gosec // the same
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body) // what there is of it
		status := union.StatusOf(text)
		status.Code = int32(response.StatusCode) //nolint:gosec // three digits
		status.Message = errtext.Bounded(status.Message, errtext.Cluster)
		return &apierrors.StatusError{ErrStatus: status}
	}
	return read(response.Body)
}

// discover is what any of the members serves.
func (j *joint) discover(r *http.Request, found *Reached) ([]byte, error) {
	served := Each(r.Context(), found, func(ctx context.Context, m Member) (list apidiscoveryv2.APIGroupDiscoveryList, err error) {
		err = j.ask(ctx, m, r.URL.Path, discoveryType+","+olderDiscovery, nil, func(from io.Reader) error { return json.NewDecoder(from).Decode(&list) })
		if err == nil && list.Kind != "APIGroupDiscoveryList" {
			err = errors.New("it does not say in one what it serves, as Kubernetes 1.27 and later do")
		}
		return list, err
	})
	if len(served) == 0 {
		return nil, noneAnswers(found)
	}
	var all []apidiscoveryv2.APIGroupDiscoveryList
	for _, name := range slices.Sorted(maps.Keys(served)) {
		all = append(all, served[name])
	}
	return json.Marshal(union.Discovery(all))
}

func noneAnswers(found *Reached) error {
	return apierrors.NewServiceUnavailable("no cluster has answered: " + strings.Join(union.Warnings(found.Missing), "; "))
}

// part is what one member has of a list.
type part struct {
	union.Head
	items    [][]byte
	notFound error
}

// read is a list of what the members have, of a resource or of the objects of one name.
func (j *joint) read(r *http.Request, found *Reached) ([]byte, error) {
	form, ok := union.Accept(r.Header["Accept"])
	if !ok {
		return nil, errors.New("several members are read in JSON")
	}
	parts := Each(r.Context(), found, func(ctx context.Context, m Member) (p *part, err error) {
		p = &part{}
		if isNamed(r.URL.Path) {
			err = j.object(ctx, m, r, form, p)
		} else {
			err = j.list(ctx, m, r, form, p)
		}
		if apierrors.IsNotFound(err) {
			return &part{notFound: err}, nil
		}
		return p, err
	})
	return joined(parts, form, found)
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
func (j *joint) object(ctx context.Context, m Member, r *http.Request, form union.Form, p *part) error {
	return j.ask(ctx, m, r.URL.Path, form.Object(), r.URL.Query(), func(from io.Reader) error {
		if form.As == union.Table {
			return p.take(from, form)
		}
		object, err := io.ReadAll(from)
		if err != nil || !json.Valid(object) {
			return errors.Join(err, errors.New("what it says is no object"))
		}
		p.Head, p.items = union.ListHead(object), [][]byte{bytes.TrimSpace(object)}
		return nil
	})
}

// list reads all pages.
func (j *joint) list(ctx context.Context, m Member, r *http.Request, form union.Form, p *part) error {
	ctx = answers.WithPages(ctx, &answers.Pages{})
	query := r.URL.Query()
	query.Set("limit", jointPage)
	for {
		if err := j.ask(ctx, m, r.URL.Path, form.List(), query, func(from io.Reader) error { return p.take(from, form) }); err != nil {
			return err
		}
		if p.Continue == "" {
			return nil
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
		p.items = append(p.items, bytes.Clone(item))
	}
}

// joined is one list of those of the members.
func joined(parts map[string]*part, form union.Form, found *Reached) ([]byte, error) {
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
		return nil, notFound
	case len(heads) == 0:
		return nil, noneAnswers(found)
	}
	head, version := union.MostSay(heads), union.Version{}
	body, begun := union.AppendHead(nil, head, columns), false
	for _, name := range names {
		p := parts[name]
		if p.notFound != nil {
			continue
		}
		if !p.Same(head) {
			found.Missing = append(found.Missing, union.Missing{Cluster: name, Reason: union.Invalid, Message: "its list is of another kind than most say"})
			continue
		}
		version.Set(name, p.ResourceVersion)
		for _, item := range p.items {
			if begun {
				body = append(body, ',')
			}
			var err error
			begun = true
			if body, err = appendItem(body, item, form, head, union.MappingOf(columns, p.Columns), name); err != nil {
				return nil, fmt.Errorf("cluster %s: %w", name, err)
			}
		}
	}
	return union.AppendTail(append(body, ']'), version, nil, found.Missing), nil
}

func appendItem(to, item []byte, form union.Form, head union.Head, mapping union.Mapping, cluster string) ([]byte, error) {
	mark := union.Mark{Cluster: cluster}
	if form.As == union.Table {
		return union.AppendRow(to, item, mapping, mark)
	}
	mark.Kind, mark.APIVersion = head.ItemKind(), head.APIVersion
	return union.AppendObject(to, item, mark)
}

var _ http.RoundTripper = &joint{}

// ErrNoWatch is what a watch of members by contexts is answered.
var ErrNoWatch = errors.New("a watch of several members takes the API of the fleet; by contexts they are listed")
