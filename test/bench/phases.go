package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// everyone is the placement of every federated object here.
var everyone = map[string]any{"clusterSelector": map[string]any{}}

func federatedSpec(revision string) map[string]any {
	content := map[string]any{}
	for key, value := range data(revision) {
		content[key] = value
	}
	return map[string]any{
		"template":  map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "bench"}}, "data": content},
		"placement": everyone,
	}
}

// measure runs the phases in order.
func (b *bench) measure(ctx context.Context) (*report, error) {
	r := &report{Objects: b.objects, Members: b.options.members, Concurrency: b.concurrency}
	for _, phase := range []func(context.Context, *report) error{
		b.measureApply, b.measureSame, b.federateNamespace, b.measureCreate, b.measureUpdate, b.measureSingle, b.measureDrift, b.measureRestart, b.measureDelete,
	} {
		if err := phase(ctx, r); err != nil {
			return nil, err
		}
	}
	var err error
	r.PeakMemory, err = localcluster.PeakMemory(b.controller.Process.Pid)
	return r, err
}

// timed runs a phase until all has settled, and counts requests and processor time
// beside it, so that nothing of it is charged to the next one.
func (b *bench) timed(ctx context.Context, name string, floors floors, do func() error) (phase, error) {
	before, err := b.requests(ctx)
	if err != nil {
		return phase{}, err
	}
	processor, err := b.processorTime()
	if err != nil {
		return phase{}, err
	}
	start := time.Now()
	if err := do(); err != nil {
		return phase{}, fmt.Errorf("%s: %w", name, err)
	}
	settled, err := b.settle(ctx)
	if err != nil {
		return phase{}, fmt.Errorf("%s: %w", name, err)
	}
	p := phase{Name: name, Time: settled.Sub(start), Floor: floors.raw, Same: floors.same}
	after, err := b.requests(ctx)
	if err != nil {
		return phase{}, err
	}
	p.Requests = after.minus(before)
	used, err := b.processorTime()
	p.Processor = used - processor
	return p, err
}

// eachObject calls do for the name of every federated object, as many at a time as concurrency says.
func (b *bench) eachObject(ctx context.Context, do func(context.Context, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.concurrency)
	for _, name := range names("object", b.objects) {
		group.Go(func() error { return do(ctx, name) })
	}
	return group.Wait()
}

// measureApply compares server-side apply with create and update, without the controller.
func (b *bench) measureApply(ctx context.Context, r *report) error {
	step("Raw floor: create, update, server-side apply")
	warm := names("warm", min(b.objects, 200))
	for _, warmUp := range []func(context.Context, []string) (time.Duration, error){b.floorCreate, b.floorUpdate, b.floorDelete} {
		if _, err := warmUp(ctx, warm); err != nil {
			return err
		}
	}
	list := names("apply", b.objects)
	created, err := b.floorApply(ctx, list, "1")
	if err != nil {
		return err
	}
	updated, err := b.floorApply(ctx, list, "2")
	if err != nil {
		return err
	}
	unchanged, err := b.floorApply(ctx, list, "2")
	if err != nil {
		return err
	}
	if _, err := b.floorDelete(ctx, list); err != nil {
		return err
	}
	r.applyCreate, r.applyUpdate, r.applyNothing = created, updated, unchanged
	return nil
}

func (b *bench) measureCreate(ctx context.Context, r *report) error {
	step("Create %d federated objects in %d members", b.objects, b.options.members)
	floor, err := b.floorCreate(ctx, names("floor", b.objects))
	if err != nil {
		return err
	}
	r.ApplyCreateRatio = ratio(r.applyCreate, floor)
	written, err := b.statusWrites()
	if err != nil {
		return err
	}
	p, err := b.timed(ctx, "create", floors{floor, r.sameCreate}, func() error {
		err := b.eachObject(ctx, func(ctx context.Context, name string) error {
			return create(ctx, b.host.Resource(federatedConfigMaps).Namespace(namespace), "types.kubefed.io/v1beta1", "FederatedConfigMap", namespace, name, federatedSpec("1"))
		})
		if err != nil {
			return err
		}
		return b.awaitStatusWrites(ctx, written+float64(b.objects))
	})
	r.Phases = append(r.Phases, p)
	if err != nil {
		return err
	}
	return b.verify(ctx, "1")
}

func (b *bench) measureUpdate(ctx context.Context, r *report) error {
	step("Update all")
	floor, err := b.floorUpdate(ctx, names("floor", b.objects))
	if err != nil {
		return err
	}
	r.ApplyUpdateRatio, r.ApplyNothingRatio = ratio(r.applyUpdate, floor), ratio(r.applyNothing, floor)
	written, err := b.statusWrites()
	if err != nil {
		return err
	}
	p, err := b.timed(ctx, "update all", floors{floor, r.sameUpdate}, func() error {
		err := b.eachObject(ctx, func(ctx context.Context, name string) error { return b.setRevision(ctx, name, "2") })
		if err != nil {
			return err
		}
		return b.awaitStatusWrites(ctx, written+float64(b.objects))
	})
	r.Phases = append(r.Phases, p)
	if err != nil {
		return err
	}
	return b.verify(ctx, "2")
}

func (b *bench) setRevision(ctx context.Context, name, revision string) error {
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"data": map[string]any{"revision": revision}}}})
	if err != nil {
		return err
	}
	_, err = b.host.Resource(federatedConfigMaps).Namespace(namespace).Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{})
	return err
}

// measureSingle changes one object at a time and waits until the last member's
// watch has shown it; the floor is a plain update that is waited for in the same way.
func (b *bench) measureSingle(ctx context.Context, r *report) error {
	step("Change %d single objects", b.changes)
	floorSeen, stopFloor, err := b.watchRevisions(ctx, floorNamespace)
	if err != nil {
		return err
	}
	defer stopFloor()
	seen, stop, err := b.watchRevisions(ctx, namespace)
	if err != nil {
		return err
	}
	defer stop()
	var floors, times []time.Duration
	for i := range b.changes {
		revision := fmt.Sprintf("single-%d", i)
		start := time.Now()
		name := fmt.Sprintf("floor-%05d", i%b.objects)
		_, err := b.inParallel(ctx, []string{name}, func(ctx context.Context, m *memberCluster, name string) error {
			_, err := m.kube.CoreV1().ConfigMaps(floorNamespace).Update(ctx, configMap(name, revision), metav1.UpdateOptions{})
			return err
		})
		if err != nil {
			return err
		}
		if err := awaitRevision(ctx, floorSeen, revision, b.options.members); err != nil {
			return err
		}
		floors = append(floors, time.Since(start))

		start = time.Now()
		if err := b.setRevision(ctx, fmt.Sprintf("object-%05d", i%b.objects), revision); err != nil {
			return err
		}
		if err := awaitRevision(ctx, seen, revision, b.options.members); err != nil {
			return err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(floors)
	slices.Sort(times)
	r.Single = latency{Median: quantile(times, 0.5), P99: quantile(times, 0.99), FloorMedian: quantile(floors, 0.5), FloorP99: quantile(floors, 0.99)}
	_, err = b.settle(ctx)
	return err
}

// watchRevisions sends the revision of every change in a namespace of any member.
func (b *bench) watchRevisions(ctx context.Context, ns string) (<-chan string, func(), error) {
	ctx, cancel := context.WithCancel(ctx)
	revisions := make(chan string, 1024)
	for _, m := range b.members {
		list, err := m.kube.CoreV1().ConfigMaps(ns).List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			cancel()
			return nil, nil, err
		}
		w, err := m.kube.CoreV1().ConfigMaps(ns).Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion})
		if err != nil {
			cancel()
			return nil, nil, err
		}
		go func() {
			for event := range w.ResultChan() {
				if cm, ok := event.Object.(*corev1.ConfigMap); ok {
					revisions <- cm.Data["revision"]
				}
			}
		}()
	}
	return revisions, cancel, nil
}

func awaitRevision(ctx context.Context, seen <-chan string, revision string, members int) error {
	timeout := time.After(time.Minute)
	for members > 0 {
		select {
		case got := <-seen:
			if got == revision {
				members--
			}
		case <-timeout:
			return fmt.Errorf("revision %s has not reached %d members within a minute", revision, members)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (b *bench) measureDelete(ctx context.Context, r *report) error {
	step("Delete all")
	floor, err := b.floorDelete(ctx, names("floor", b.objects))
	if err != nil {
		return err
	}
	p, err := b.timed(ctx, "delete all", floors{floor, r.sameDelete}, func() error {
		err := b.eachObject(ctx, func(ctx context.Context, name string) error {
			return b.host.Resource(federatedConfigMaps).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{})
		})
		if err != nil {
			return err
		}
		return poll(ctx, 10*time.Minute, "all federated objects are gone", func() (bool, error) {
			n, err := b.metric("fedctl_federated_objects", map[string]string{"type": "configmaps"})
			return n == 0, err
		})
	})
	r.Phases = append(r.Phases, p)
	if err != nil {
		return err
	}
	for _, m := range b.members {
		list, err := m.kube.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubefed.io/managed=true"})
		if err != nil {
			return err
		}
		if len(list.Items) > 0 {
			return fmt.Errorf("%d objects are left in %s", len(list.Items), m.name)
		}
	}
	return nil
}

// verify checks that every member holds every object in that revision.
func (b *bench) verify(ctx context.Context, revision string) error {
	for _, m := range b.members {
		list, err := m.kube.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubefed.io/managed=true"})
		if err != nil {
			return err
		}
		right := 0
		for _, cm := range list.Items {
			if cm.Data["revision"] == revision {
				right++
			}
		}
		if right != b.objects {
			return fmt.Errorf("%s holds %d of %d objects in revision %s", m.name, right, b.objects, revision)
		}
	}
	return nil
}
