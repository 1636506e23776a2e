package fleetapi

import (
	"context"
	"net/http"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// expired lists anew what the cluster does not remember, if it is known what was told.
func (f *following) expired(ctx context.Context, status metav1.Status) *refusal {
	if !f.known.Complete {
		return f.beginAnew(ctx, status.Message)
	}
	f.list = true
	return &refusal{Missing: union.Missing{Cluster: f.cluster, Reason: union.Failed, Message: union.NoHold(status.Message)}, status: status, anew: true}
}

func (f *following) beginAnew(ctx context.Context, why string) *refusal {
	f.say(ctx, told{begun: !f.begun, over: &metav1.Status{
		Code: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: errtext.Bounded("cluster "+f.cluster+": "+why, errtext.Cluster),
	}})
	f.over = true
	return nil
}

// tellAll lists, and tells what has changed since what was told before: the first time all.
func (f *following) tellAll(ctx context.Context) *refusal {
	listed, token, size, trail := union.NewKnown(), "", pageSize, trail{}
	if f.silent {
		size = 1
	}
	for {
		p, refused := f.open(ctx, f.cluster, f.query(size, token))
		if refused != nil {
			return refused
		}
		if refused := p.keep(0); refused != nil {
			return refused
		}
		f.head, f.columns = p.Head, p.Columns
		f.answers(ctx)
		if err := f.fits(ctx, p.ItemKind(), p.APIVersion); err != nil {
			p.close()
			return errorOf(f.cluster, err)
		}
		objects := 0
		refused, err := p.each(func(item []byte) error {
			objects++
			return f.compare(ctx, listed, item)
		})
		if refused == nil && err != nil {
			refused = errorOf(f.cluster, err)
		}
		if refused != nil {
			return refused
		}
		f.head, f.version = p.Head, p.ResourceVersion
		if trail.endless(p.Continue, objects) {
			return errorOf(f.cluster, errEndless)
		}
		if token = p.Continue; token == "" || f.silent {
			break
		}
	}
	f.lists++
	switch {
	case f.silent:
		f.known.Complete = false
	case f.lists > 1 && (!listed.Complete || !f.known.Complete):
		return f.beginAnew(ctx, "it has more objects than are compared, and does not remember what has changed")
	default:
		f.vanished(ctx, listed)
	}
	f.list = false
	f.works(ctx)
	f.say(ctx, told{synced: true, version: f.version, head: f.head})
	return nil
}

func (f *following) compare(ctx context.Context, listed *union.Known, item []byte) error {
	id, err := f.form.IdentityOf(item)
	if err == nil && !f.silent {
		err = f.writable(item)
	}
	if err != nil || f.silent {
		return err
	}
	listed.Note(union.Added, id)
	kind, recreated := f.known.Listed(id)
	if recreated != nil {
		f.remains(ctx, *recreated)
	}
	f.known.Note(union.Added, id)
	if kind != "" {
		f.say(ctx, told{kind: kind, object: slices.Clone(item), columns: f.columns, mark: union.Mark{Kind: f.head.ItemKind(), APIVersion: f.head.APIVersion}})
	}
	return nil
}

// vanished tells of what is not there any more.
func (f *following) vanished(ctx context.Context, listed *union.Known) {
	if f.known.Complete && listed.Complete {
		for _, id := range f.known.Vanished(listed) {
			f.remains(ctx, id)
		}
	}
	f.known = listed
}

// remains tells that an object is deleted of which nothing is left but which one it was.
func (f *following) remains(ctx context.Context, id union.Identity) {
	f.say(ctx, told{kind: union.Deleted, object: f.form.Remains(id, f.head, f.columns), columns: f.columns})
}
