package tree

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/workload"
)

const (
	// answerTimeout is how long a member may take for all that is asked of it.
	answerTimeout = time.Minute
	// atOnce is how many lists of one member are read at a time.
	atOnce = 8
	// mostSeen is how many objects of one kind are looked at in a member, mostEvents how many events.
	mostSeen   = 20_000
	mostEvents = 100_000
)

// gathering is what is read of one member.
type gathering struct {
	member members.Member
	typ    typeconfig.Type
	kinds  *workload.Kinds
	errOut io.Writer

	metadata metadata.Interface
	dynamic  dynamic.Interface
	mu       sync.Mutex
	objects  []view.Owned
	// by has the resources of the objects, by their UIDs.
	by map[string]resource
}

// gather makes the tree of a federated object in the member.
func (g *gathering) gather(ctx context.Context, federated *unstructured.Unstructured) (*view.Tree, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var err error
	if g.metadata, err = metadata.NewForConfig(g.member.Config); err != nil {
		return nil, err
	}
	if g.dynamic, err = dynamic.NewForConfig(g.member.Config); err != nil {
		return nil, err
	}
	getter := members.Getter(g.member.Config, "")
	mapper, err := getter.ToRESTMapper()
	if err != nil {
		return nil, err
	}
	mapping, err := mapper.RESTMapping(g.typ.Target.GVK.GroupKind())
	if err != nil {
		return nil, err
	}
	namespace := ""
	if g.typ.Target.Namespaced {
		namespace = federated.GetNamespace()
	}
	root, err := g.dynamic.Resource(mapping.Resource).Namespace(namespace).Get(ctx, federated.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // the cluster has none
	} else if err != nil {
		return nil, err
	}
	g.by = map[string]resource{}
	if namespace != "" {
		discoverer, err := getter.ToDiscoveryClient()
		if err != nil {
			return nil, err
		}
		resources, err := looked(discoverer, g.kinds, mapping.GroupVersionKind.GroupKind())
		if err != nil {
			return nil, err
		}
		g.listOwned(ctx, resources, namespace)
	}
	tree := view.NewTree(ownedOf(mapping.GroupVersionKind.Kind, root), g.objects, view.MostOwned)
	g.judge(ctx, tree, root, namespace)
	return tree, ctx.Err()
}

func ownedOf(kind string, object metav1.Object) view.Owned {
	o := view.Owned{UID: string(object.GetUID()), Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName()}
	for _, owner := range object.GetOwnerReferences() {
		o.Owners = append(o.Owners, string(owner.UID))
	}
	return o
}

// listOwned reads who owns what in a namespace. What cannot be listed is said.
func (g *gathering) listOwned(ctx context.Context, resources []resource, namespace string) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, r := range resources {
		group.Go(func() error {
			if err := g.listOne(ctx, r, namespace); err != nil && ctx.Err() == nil {
				g.note("%s cannot be listed, so those in %s are not shown: %s", r.Resource, g.member.Name, errtext.Stable(err))
			}
			return nil
		})
	}
	_ = group.Wait() // none fails
}

func (g *gathering) note(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, _ = fmt.Fprintf(g.errOut, "note: "+format+"\n", args...)
}

// listOne keeps of a kind what somebody owns.
func (g *gathering) listOne(ctx context.Context, r resource, namespace string) error {
	return pages(ctx, mostSeen, func(ctx context.Context, options metav1.ListOptions) (int, string, error) {
		page, err := g.metadata.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, options)
		if err != nil {
			return 0, "", err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		for i := range page.Items {
			if o := ownedOf(r.Kind, &page.Items[i]); len(o.Owners) > 0 {
				g.objects = append(g.objects, o)
				g.by[o.UID] = r
			}
		}
		return len(page.Items), page.Continue, nil
	})
}

// judge says how the objects of a tree fare, and of those that are not healthy the last event.
func (g *gathering) judge(ctx context.Context, tree *view.Tree, root *unstructured.Unstructured, namespace string) {
	nodes, wanted := map[string]*view.Tree{}, map[resource]bool{}
	tree.Each(func(n *view.Tree) {
		nodes[n.UID] = n
		if n != tree {
			wanted[g.by[n.UID]] = true
		}
	})
	say := func(kind schema.GroupKind, object *unstructured.Unstructured) {
		if n := nodes[string(object.GetUID())]; n != nil {
			h := g.kinds.Health(kind, object.Object)
			n.Health, n.Message = string(h.Status), h.Message
		}
	}
	say(g.typ.Target.GVK.GroupKind(), root)
	var group errgroup.Group
	group.SetLimit(atOnce)
	for r := range wanted {
		group.Go(func() error {
			err := g.each(ctx, r, namespace, func(object *unstructured.Unstructured) {
				g.mu.Lock()
				defer g.mu.Unlock()
				say(r.GroupKind, object)
			})
			if err != nil && ctx.Err() == nil {
				g.note("the health of %s in %s is not known: %s", r.Resource, g.member.Name, errtext.Stable(err))
			}
			return nil
		})
	}
	_ = group.Wait() // none fails
	g.events(ctx, nodes, namespace)
}

// each reads the objects of a resource, page by page: none is kept.
func (g *gathering) each(ctx context.Context, r resource, namespace string, do func(*unstructured.Unstructured)) error {
	return pages(ctx, mostSeen, func(ctx context.Context, options metav1.ListOptions) (int, string, error) {
		page, err := g.dynamic.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, options)
		if err != nil {
			return 0, "", err
		}
		for i := range page.Items {
			do(&page.Items[i])
		}
		return len(page.Items), page.GetContinue(), nil
	})
}

// events finds the last event of each object that is not healthy: a warning, if there is one.
func (g *gathering) events(ctx context.Context, nodes map[string]*view.Tree, namespace string) {
	c, err := kubernetes.NewForConfig(g.member.Config)
	if err == nil {
		err = pages(ctx, mostEvents, func(ctx context.Context, options metav1.ListOptions) (int, string, error) {
			page, err := c.CoreV1().Events(namespace).List(ctx, options)
			if err != nil {
				return 0, "", err
			}
			for i := range page.Items {
				e := &page.Items[i]
				n := nodes[string(e.InvolvedObject.UID)]
				if n == nil || n.Health == string(workload.Healthy) {
					continue
				}
				if event := view.EventOf(g.member.Name, e); n.Event == nil || tellsMore(&event, n.Event) {
					n.Event = &event
				}
			}
			return len(page.Items), page.Continue, nil
		})
	}
	if err != nil && ctx.Err() == nil {
		g.note("the events of %s cannot be read: %s", g.member.Name, errtext.Stable(err))
	}
}

// tellsMore prefers warnings, and of these the last.
func tellsMore(a, b *view.MemberEvent) bool {
	if warns := a.Type == corev1.EventTypeWarning; warns != (b.Type == corev1.EventTypeWarning) {
		return warns
	}
	return a.Last.After(b.Last.Time)
}
