package export

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/exported"
)

// pageSize is how many objects are read at a time, and held: an object may have a megabyte.
const pageSize = 100

// mostTries is how often a file is begun anew because its list has expired.
const mostTries = 3

// sheet writes one file. A list whose pages the API server does not remember any more is
// read from its beginning, so that the file is of one moment.
func (g *gathering) sheet(ctx context.Context, name string, fill func(context.Context, *page) error) error {
	for try := 1; ; try++ {
		s, err := g.folder.Sheet(name)
		if err != nil {
			return err
		}
		p := &page{gathering: g, sheet: s}
		err = fill(ctx, p)
		if closeErr := s.Close(); err == nil {
			err = closeErr
		}
		switch {
		case apierrors.IsResourceExpired(err) && try < mostTries:
			continue
		case err != nil:
			return err
		}
		if s.Objects > 0 {
			g.contents.Add(s.File)
		}
		g.contents.Notes = append(g.contents.Notes, p.notes...)
		return nil
	}
}

// page is a file that is being filled.
type page struct {
	*gathering
	sheet *exported.Sheet
	notes []string
	// going are objects that are being deleted, and owned those that belong to others.
	going, owned int
}

func (p *page) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// objects puts all objects of a kind into the file, as keep makes them; nil leaves one out.
func (p *page) objects(ctx context.Context, kind schema.GroupVersionKind, namespaced bool, keep func(*unstructured.Unstructured) (*unstructured.Unstructured, error)) error {
	namespace, own := p.reach.Of(kind, namespaced)
	if !own {
		return nil
	}
	p.going, p.owned = 0, 0
	p.reading.Store(&kind.Kind)
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	for more := true; more; more = list.GetContinue() != "" {
		err := p.host.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(list.GetContinue()))
		if p.none(kind, err) {
			return nil
		} else if err != nil {
			return p.explain(kind, err)
		}
		for i := range list.Items {
			if err := p.take(&list.Items[i], keep); err != nil {
				return err
			}
		}
	}
	if p.going > 0 {
		p.note("%d %s object(s) are being deleted, and were left out", p.going, kind.Kind)
	}
	if p.owned > 0 {
		p.note("%d %s object(s) belong to other objects of the host (ownerReferences), which an import does not know: they are not deleted with those there", p.owned, kind.Kind)
	}
	return nil
}

// none says whether an error tells that there is nothing of a kind, since the host does not
// know it. Of one that it has a definition of, that only says that it is not served just now.
func (g *gathering) none(kind schema.GroupVersionKind, err error) bool {
	return (meta.IsNoMatchError(err) || apierrors.IsNotFound(err)) && !g.defined[kind.GroupKind()]
}

func (g *gathering) explain(kind schema.GroupVersionKind, err error) error {
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return fmt.Errorf("reading %s objects, which the host has a definition of and does not serve in version %s: %w", kind.Kind, kind.Version, err)
	}
	return fmt.Errorf("reading %s objects: %w", kind.Kind, err)
}

func (p *page) take(u *unstructured.Unstructured, keep func(*unstructured.Unstructured) (*unstructured.Unstructured, error)) error {
	p.read.Add(1)
	if u.GetDeletionTimestamp() != nil {
		p.going++
		return nil
	}
	kept, err := keep(u)
	if err != nil || kept == nil {
		return err
	}
	if len(u.GetOwnerReferences()) > 0 && u.GroupVersionKind() != exported.Capacity {
		p.owned++
	}
	if namespace := u.GetNamespace(); namespace != "" {
		p.namespaces[namespace] = true
	}
	return p.sheet.Put(kept)
}

// portable keeps an object as another host can be told it.
func portable(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return exported.Portable(u), nil
}
