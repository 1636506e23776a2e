package status

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// source reads the federated objects that the options ask for.
type source struct {
	opts    *Options
	host    client.Client
	dynamic dynamic.Interface
	// clusters are the names of the joined clusters.
	clusters []string
	queries  []query
}

// query is a list or watch of one type.
type query struct {
	typ       typeconfig.Type
	namespace string // "" means all, or that the type has none
	// names are the objects asked for; none means all.
	names []string
}

func newSource(ctx context.Context, o *Options) (*source, error) {
	config, err := o.factory.HostConfig()
	if err != nil {
		return nil, err
	}
	// A watch is one long request; lists end by their own context.
	config = rest.CopyConfig(config)
	if o.Watch {
		config.Timeout = 0
	}
	s := &source{opts: o}
	if s.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	host, err := o.factory.HostClient()
	if err != nil {
		return nil, err
	}
	s.host = host
	read := fedtypes.Read
	if o.Watch && len(o.requests) == 0 {
		read = fedtypes.List // types may come
	}
	types, err := read(ctx, host, o.factory)
	if err != nil {
		return nil, err
	}
	s.clusters = readClusters(ctx, host, o.factory)
	if err := s.resolve(types, config); err != nil {
		return nil, err
	}
	return s, nil
}

// readClusters returns the names of the joined clusters. Without the right to
// read them, the table shows those that the objects tell of.
func readClusters(ctx context.Context, host client.Client, f *cmdutil.Factory) []string {
	var clusters fedcorev1beta1.KubeFedClusterList
	if err := host.List(ctx, &clusters, client.InNamespace(f.KubeFedNamespace)); err != nil {
		_, _ = fmt.Fprintf(f.ErrOut, "warning: listing KubeFedClusters: %v\n", err)
	}
	names := make([]string, len(clusters.Items))
	for i := range clusters.Items {
		names[i] = clusters.Items[i].Name
	}
	slices.Sort(names)
	return names
}

// resolve turns what the user asks for into queries.
func (s *source) resolve(types []typeconfig.Type, config *rest.Config) error {
	if len(s.opts.requests) == 0 {
		for _, t := range types {
			if q, asked := s.queryFor(t); asked {
				s.queries = append(s.queries, q)
			}
		}
		return nil
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	resolver := fedtypes.Resolver{Types: types, ShortNames: fedtypes.DiscoveredShortNames(discoverer)}
	for i := range s.opts.requests {
		request := &s.opts.requests[i]
		if request.typ, err = resolver.Resolve(request.typeName); err != nil {
			return err
		}
		s.addQuery(request.typ, request.name)
	}
	return nil
}

// addQuery adds a name to the query of its type. A request for the whole type
// takes in the names.
func (s *source) addQuery(t typeconfig.Type, name string) {
	for i := range s.queries {
		if q := &s.queries[i]; q.typ.Name == t.Name {
			if name == "" || len(q.names) == 0 {
				q.names = nil
			} else {
				q.names = append(q.names, name)
			}
			return
		}
	}
	q := query{typ: t}
	if t.Federated.Namespaced {
		q.namespace = s.opts.Namespace
	}
	if name != "" {
		q.names = []string{name}
	}
	s.queries = append(s.queries, q)
}

// options narrows a list or watch to the query as far as a server can.
func (q *query) options(selector string) metav1.ListOptions {
	options := metav1.ListOptions{LabelSelector: selector}
	if len(q.names) == 1 {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", q.names[0]).String()
	}
	return options
}

// row is what is shown of an object that the query has found.
func (q *query) row(u *unstructured.Unstructured) view.ObjectRow {
	return view.Object(q.typ.Name, q.typ.Federated.GVK, u)
}

func (q *query) wants(u *unstructured.Unstructured) bool {
	return len(q.names) == 0 || slices.Contains(q.names, u.GetName())
}

// list reads all queries at once. Rows are returned beside an error.
func (s *source) list(ctx context.Context) ([]view.ObjectRow, error) {
	results, errs := make([][]view.ObjectRow, len(s.queries)), make([]error, len(s.queries))
	var group errgroup.Group
	group.SetLimit(8)
	for i := range s.queries {
		group.Go(func() error {
			results[i], errs[i] = s.listOne(ctx, &s.queries[i])
			return nil
		})
	}
	_ = group.Wait()
	rows := slices.Concat(results...)
	view.SortObjects(rows)
	return rows, errors.Join(s.withoutHidden(errs)...)
}

// withoutHidden has types left out that the user may not read, if he has asked for none by
// name and may read some: who may view a namespace may not read its federated Secrets. Where
// he may read none, one of them says so for all.
func (s *source) withoutHidden(errs []error) []error {
	readable := func(err error) bool { return !apierrors.IsForbidden(err) }
	switch {
	case len(errs) > 0 && !slices.ContainsFunc(errs, readable):
		return []error{s.nothingReadable(errs[0])}
	case len(s.opts.requests) > 0:
		return errs
	}
	return slices.DeleteFunc(errs, func(err error) bool {
		if !apierrors.IsForbidden(err) {
			return false
		}
		_, _ = fmt.Fprintf(s.opts.factory.ErrOut, "warning: left out: %v\n", err)
		return true
	})
}

// nothingReadable says which right is missing, and where the user may have it: most have
// rights in namespaces of their own, and may not list those.
func (s *source) nothingReadable(err error) error {
	if !s.opts.AllNamespaces {
		return fmt.Errorf("you may read none of these objects %s: %w", s.opts.where(), err)
	}
	return fmt.Errorf("you may read none of these objects in all namespaces at once, but perhaps in one: choose it with -n in place of -A. The right that is missing: %w", err)
}

func (s *source) listOne(ctx context.Context, q *query) ([]view.ObjectRow, error) {
	resource := s.dynamic.Resource(q.typ.Federated.GVR).Namespace(q.namespace)
	pages := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) { return resource.List(ctx, options) }))
	var rows []view.ObjectRow
	err := pages.EachListItem(ctx, q.options(s.opts.Selector), func(item runtime.Object) error {
		if u, ok := item.(*unstructured.Unstructured); ok && q.wants(u) {
			rows = append(rows, q.row(u))
		}
		return nil
	})
	switch {
	case apierrors.IsNotFound(err):
		return rows, fmt.Errorf("the host cluster does not serve %s: run \"fedctl enable %s\"", q.typ.CRDName(), q.typ.Name)
	case err != nil:
		return rows, fmt.Errorf("listing %s: %w", q.typ.CRDName(), err)
	}
	return rows, nil
}
