package main

import (
	"context"
	"encoding/json"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// measureSame has plain client-go make all the requests that the phases make: in
// the host what the bench and the controller send, in the members server-side
// applies and deletes. What a phase takes beyond that is the controller's own. It
// runs before the controller does, which would act on the federated objects.
func (b *bench) measureSame(ctx context.Context, r *report) error {
	step("The same requests by plain client-go")
	list := names("same", b.objects)
	var err error
	r.sameCreate, err = b.both(ctx, list, b.hostCreate, func(ctx context.Context) error {
		_, err := b.floorApply(ctx, list, "1")
		return err
	})
	if err != nil {
		return err
	}
	r.sameUpdate, err = b.both(ctx, list, b.hostUpdate, func(ctx context.Context) error {
		_, err := b.floorApply(ctx, list, "2")
		return err
	})
	if err != nil {
		return err
	}
	r.sameDelete, err = b.both(ctx, list, b.hostDelete, func(ctx context.Context) error {
		_, err := b.floorDelete(ctx, list)
		return err
	})
	return err
}

// both runs the host's part, object by object, beside the members'.
func (b *bench) both(ctx context.Context, names []string, host func(context.Context, string) error, members func(context.Context) error) (time.Duration, error) {
	start := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return members(ctx) })
	group.Go(func() error {
		objects, ctx := errgroup.WithContext(ctx)
		objects.SetLimit(b.concurrency)
		for _, name := range names {
			objects.Go(func() error { return host(ctx, name) })
		}
		return objects.Wait()
	})
	err := group.Wait()
	return time.Since(start), err
}

func (b *bench) hostCreate(ctx context.Context, name string) error {
	resource := b.host.Resource(federatedConfigMaps).Namespace(floorNamespace)
	if err := create(ctx, resource, "types.kubefed.io/v1beta1", "FederatedConfigMap", floorNamespace, name, federatedSpec("1")); err != nil {
		return err
	}
	if err := b.hostPatch(ctx, name, map[string]any{"metadata": map[string]any{"finalizers": []string{"bench.fedctl.io/same"}}}); err != nil {
		return err
	}
	return b.hostPatch(ctx, name, b.someStatus(1), "status")
}

func (b *bench) hostUpdate(ctx context.Context, name string) error {
	change := map[string]any{"spec": map[string]any{"template": map[string]any{"data": map[string]any{"revision": "2"}}}}
	if err := b.hostPatch(ctx, name, change); err != nil {
		return err
	}
	return b.hostPatch(ctx, name, b.someStatus(2), "status")
}

func (b *bench) hostDelete(ctx context.Context, name string) error {
	if err := b.host.Resource(federatedConfigMaps).Namespace(floorNamespace).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return err
	}
	return b.hostPatch(ctx, name, map[string]any{"metadata": map[string]any{"finalizers": nil}})
}

func (b *bench) hostPatch(ctx context.Context, name string, change map[string]any, subresource ...string) error {
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = b.host.Resource(federatedConfigMaps).Namespace(floorNamespace).Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{}, subresource...)
	return err
}

// someStatus is a status of the size that the controller writes.
func (b *bench) someStatus(generation int64) map[string]any {
	clusters := make([]any, len(b.members))
	for i, m := range b.members {
		clusters[i] = map[string]any{"name": m.name, "version": "0123456789abcdef.0123456789abcdef"}
	}
	now := time.Now().UTC().Format(time.RFC3339)
	return map[string]any{"status": map[string]any{
		"observedGeneration": generation,
		"clusters":           clusters,
		"conditions":         []any{map[string]any{"type": "Propagation", "status": "True", "lastUpdateTime": now, "lastTransitionTime": now}},
	}}
}
