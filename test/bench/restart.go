package main

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// measureDrift changes every object in one member behind the controller's back.
func (b *bench) measureDrift(ctx context.Context, r *report) error {
	step("Let all objects drift in one member")
	m := b.members[0]
	applied, err := b.metric("fedctl_member_operations_total", map[string]string{"cluster": m.name, "operation": "apply", "result": "success"})
	if err != nil {
		return err
	}
	damage := []byte(`{"data":{"config.yaml":"damaged"}}`)
	one := &bench{options: b.options, members: b.members[:1]}
	floor, err := one.inParallel(ctx, names("floor", b.objects), func(ctx context.Context, m *memberCluster, name string) error {
		_, err := m.kube.CoreV1().ConfigMaps(floorNamespace).Patch(ctx, name, types.MergePatchType, damage, metav1.PatchOptions{})
		return err
	})
	if err != nil {
		return err
	}
	p, err := b.timed(ctx, "drift", floors{raw: 2 * floor}, func() error {
		_, err := one.inParallel(ctx, names("object", b.objects), func(ctx context.Context, m *memberCluster, name string) error {
			_, err := m.kube.CoreV1().ConfigMaps(namespace).Patch(ctx, name, types.MergePatchType, damage, metav1.PatchOptions{})
			return err
		})
		if err != nil {
			return err
		}
		return poll(ctx, 5*time.Minute, "the drift is repaired", func() (bool, error) {
			now, err := b.metric("fedctl_member_operations_total", map[string]string{"cluster": m.name, "operation": "apply", "result": "success"})
			return now >= applied+float64(b.objects), err
		})
	})
	r.Phases = append(r.Phases, p)
	return err
}

// measureRestart kills the controller and measures until a new one has carried
// out a change: all has been read again by then, and nothing may have been written.
func (b *bench) measureRestart(ctx context.Context, r *report) error {
	step("Restart the controller")
	var err error
	if r.PeakMemory, err = localcluster.PeakMemory(b.controller.Process.Pid); err != nil {
		return err
	}
	start := time.Now()
	floor, err := b.inParallel(ctx, []string{""}, func(ctx context.Context, m *memberCluster, _ string) error {
		_, err := m.kube.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
		return err
	})
	if err != nil {
		return err
	}
	if _, err := b.host.Resource(federatedConfigMaps).Namespace(namespace).List(ctx, metav1.ListOptions{}); err != nil {
		return err
	}
	floor = max(floor, time.Since(start))
	seen, stop, err := b.watchRevisions(ctx, namespace)
	if err != nil {
		return err
	}
	defer stop()
	b.stopController()
	before, err := b.requests(ctx)
	if err != nil {
		return err
	}
	start = time.Now()
	if err := b.startController(ctx); err != nil {
		return err
	}
	if err := b.setRevision(ctx, "object-00000", "after-restart"); err != nil {
		return err
	}
	if err := awaitRevision(ctx, seen, "after-restart", b.options.members); err != nil {
		return err
	}
	took := time.Since(start)
	if _, err := b.settle(ctx); err != nil { // what is written late is counted as well
		return err
	}
	after, err := b.requests(ctx)
	if err != nil {
		return err
	}
	processor, err := b.processorTime()
	if err != nil {
		return err
	}
	made := after.minus(before)
	r.Phases = append(r.Phases, phase{Name: "restart", Time: took, Floor: floor, Requests: made, Processor: processor})
	return b.onlyOneChange(made)
}

// onlyOneChange is an error if a controller that has started anew has written more
// than the one change that was made: the status of its object, and an apply in each
// member. The other write in the host is the change itself.
func (b *bench) onlyOneChange(made requests) error {
	if host, members := writes(made.Host), writes(made.Members); host > 2 || members > float64(b.options.members) {
		return fmt.Errorf("after the restart, in which one object changed, there were %.0f writes in the host instead of 2 and %.0f in the members instead of %d: host %v, members %v",
			host, members, b.options.members, made.Host, made.Members)
	}
	return nil
}

// writes are the requests that change something.
func writes(byVerb map[string]float64) float64 {
	sum := 0.0
	for verb, n := range byVerb {
		if verb != "GET" && verb != "LIST" {
			sum += n
		}
	}
	return sum
}
