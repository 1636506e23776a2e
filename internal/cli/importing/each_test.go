package importing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

const joined = `{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedCluster, metadata: {name: member-%d, namespace: kube-federation-system}, spec: {apiEndpoint: "https://a-%d:6443"}}`

// many is an export with two members and so many federated objects.
func many(objects int) []string {
	all := []string{typeConfig, fmt.Sprintf(joined, 1, 1), fmt.Sprintf(joined, 2, 2)}
	for n := range objects {
		all = append(all, federated("shop", fmt.Sprintf("c-%d", n)))
	}
	return all
}

func TestObjectsOfAKindAreVisitedAtOnceAndThoseOfTheNextAfterThem(t *testing.T) {
	i := importOf(t, host(interceptor.Funcs{}), nil, many(3*atOnce)...)
	var mu sync.Mutex
	var now, most, seen int
	order := map[string]int{}
	err := i.each(t.Context(), func(_ context.Context, u *unstructured.Unstructured) error {
		mu.Lock()
		now++
		most = max(most, now)
		seen++
		if first, known := order[u.GetKind()]; !known || first > seen {
			order[u.GetKind()] = seen
		}
		oneByOne := u.GetKind() != "FederatedConfigMap"
		if oneByOne && now > 1 {
			t.Errorf("%s is visited together with others", u.GetName())
		}
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
		return nil
	})
	if err != nil || seen != 3*atOnce+3 || most < 2 || most > atOnce || order["FederatedConfigMap"] != 4 || i.progress.done.Load() != int64(seen) {
		t.Errorf("%d visited, %d at once, %v: %v", seen, most, order, err)
	}
}

func TestTheFirstErrorEndsIt(t *testing.T) {
	why := errors.New("the host is gone")
	i := importOf(t, host(interceptor.Funcs{}), nil, many(500)...)
	var visited atomic.Int64
	err := i.each(t.Context(), func(ctx context.Context, u *unstructured.Unstructured) error {
		visited.Add(1)
		if u.GetName() == "c-3" {
			return why
		}
		if u.GetKind() == "FederatedConfigMap" {
			<-ctx.Done() // as a request does
			return ctx.Err()
		}
		return nil
	})
	if !errors.Is(err, why) || visited.Load() > 3+2*atOnce {
		t.Errorf("%v after %d", err, visited.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = i.each(ctx, func(context.Context, *unstructured.Unstructured) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// An import that has ended early is repeated, by the same command, and does the rest; what is
// there is not written again.
func TestAnImportThatWasInterruptedIsRepeated(t *testing.T) {
	var creates, gets atomic.Int64
	var ends atomic.Int64
	ends.Store(40)
	ctx, cancel := context.WithCancel(t.Context())
	on := host(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, u client.Object, options ...client.CreateOption) error {
			if creates.Add(1) == ends.Load() {
				cancel()
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			return c.Create(ctx, u, options...)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, u client.Object, options ...client.GetOption) error {
			if u.GetObjectKind().GroupVersionKind().Kind == "FederatedConfigMap" {
				gets.Add(1)
			}
			return c.Get(ctx, key, u, options...)
		},
	})
	manifests := many(200)
	run := func(ctx context.Context) (*importing, error) {
		i := importOf(t, on, nil, manifests...)
		if err := i.planAndRefuse(ctx); err != nil {
			t.Fatal(err)
		}
		return i, i.report.outcome(i.carryOut(ctx))
	}
	if i, err := run(ctx); err == nil || !strings.Contains(err.Error(), "the import has not ended: context canceled; repeat the command") || i.report.failed > 0 {
		t.Fatalf("%v, %v", err, i.report.Failures)
	}
	if n := gets.Load(); n > 0 {
		t.Errorf("%d objects that are not there were asked about", n)
	}
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedConfigMapList"})
	if err := on.List(t.Context(), list); err != nil || len(list.Items) == 0 || len(list.Items) == 200 {
		t.Fatalf("%d are there after the first, %v", len(list.Items), err)
	}
	there := len(list.Items)
	creates.Store(0)
	ends.Store(-1)
	i, err := run(t.Context())
	counts := i.report.of("FederatedConfigMap")
	if err != nil || counts.Created != 200-there || counts.Unchanged != there || creates.Load() != int64(200-there) {
		t.Errorf("%v, %+v, %d were there", err, counts, there)
	}
	gets.Store(0)
	i, err = run(t.Context())
	if counts := i.report.of("FederatedConfigMap"); err != nil || counts.Unchanged != 200 || gets.Load() != 200 {
		t.Errorf("the third time: %v, %+v, with %d requests", err, counts, gets.Load())
	}
}

// What another import, or its owner, makes between the two is looked at again.
func TestWhatComesMeanwhileIsNotOverwritten(t *testing.T) {
	var on client.Client
	first := true
	var mu sync.Mutex
	on = host(interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, u client.Object, options ...client.CreateOption) error {
		mu.Lock()
		other := first && u.GetName() == "c-0"
		first = first && !other
		mu.Unlock()
		if other {
			theirs := parsed(t, strings.Replace(federated("shop", "c-0"), "a: b", "a: theirs", 1))
			if err := c.Create(ctx, theirs); err != nil {
				return err
			}
			return apierrors.NewAlreadyExists(schema.GroupResource{}, u.GetName())
		}
		return c.Create(ctx, u, options...)
	}})
	i := importOf(t, on, nil, many(3)...)
	if err := i.planAndRefuse(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := i.report.outcome(i.carryOut(t.Context()))
	if counts := i.report.of("FederatedConfigMap"); err != nil || counts.Created != 2 || counts.Kept != 1 {
		t.Errorf("%v, %+v", err, counts)
	}
}

func TestTheHostThatIsGoneEndsADryRun(t *testing.T) {
	var asked atomic.Int64
	on := host(interceptor.Funcs{Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error {
		asked.Add(1)
		return errors.New("connection refused")
	}})
	err := importOf(t, on, func(o *Options) { o.DryRun = true }, many(300)...).planAndRefuse(t.Context())
	if err == nil || !strings.Contains(err.Error(), "connection refused") || asked.Load() > 2*atOnce {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}
