package importing

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/internal/exported"
)

// atOnce is how many objects are looked at, or written, at a time: most of the time goes by
// on the way to the host, and an API server answers that many to one user without delay.
const atOnce = 16

// oneByOne are the kinds whose objects later ones need, of which others of the same kind may be some.
var oneByOne = []schema.GroupVersionKind{
	exported.Definition, exported.Role, exported.Binding, exported.TypeConfig, exported.Config, exported.Cluster, exported.Capacity,
}

// inOrder calls visit with all objects of the export, one by one.
func (i *importing) inOrder(visit func(*unstructured.Unstructured) error) error {
	for n := range i.contents.Files {
		if err := i.contents.Files[n].Each(i.dir, visit); err != nil {
			return err
		}
	}
	return nil
}

// each calls visit with all objects of the export: those of one kind at once, and when they
// are done those of the next. The first error ends it.
func (i *importing) each(ctx context.Context, visit func(context.Context, *unstructured.Unstructured) error) error {
	b := &batch{ctx: ctx}
	err := i.inOrder(func(u *unstructured.Unstructured) error {
		if kind := u.GroupVersionKind(); kind != b.kind || slices.Contains(oneByOne, kind) {
			if err := b.wait(); err != nil {
				return err
			}
			b.kind = kind
		}
		return b.add(func(ctx context.Context) error {
			defer i.progress.done.Add(1)
			return visit(ctx, u)
		})
	})
	if last := b.wait(); last != nil {
		return last // it is what has ended the rest, if anything has
	}
	return err
}

// batch is what is done at a time.
type batch struct {
	ctx   context.Context //nolint:containedctx // of the call that it is made in
	kind  schema.GroupVersionKind
	group *errgroup.Group
	inner context.Context //nolint:containedctx // of the group
}

func (b *batch) add(do func(context.Context) error) error {
	if b.group == nil {
		b.group, b.inner = errgroup.WithContext(b.ctx)
		b.group.SetLimit(atOnce)
	}
	inner := b.inner
	b.group.Go(func() error { return do(inner) })
	return inner.Err() // which wait explains
}

func (b *batch) wait() error {
	if b.group == nil {
		return b.ctx.Err()
	}
	err := b.group.Wait()
	b.group = nil
	if err == nil {
		err = b.ctx.Err()
	}
	return err
}

// progress is what an import is at.
type progress struct {
	what atomic.Pointer[string]
	all  atomic.Int64
	done atomic.Int64
}

// begin says what comes now, and of how many objects, if that is known.
func (p *progress) begin(what string, objects int) {
	p.done.Store(0)
	p.all.Store(int64(objects))
	p.what.Store(&what)
}

func (p *progress) said() string {
	what := p.what.Load()
	switch {
	case what == nil:
		return ""
	case p.all.Load() == 0:
		return *what
	}
	return fmt.Sprintf("%s: %d of %d", *what, p.done.Load(), p.all.Load())
}
