package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
)

var createOptions = metav1.CreateOptions{}

// data is the content of an object: about what a small configuration file has.
func data(revision string) map[string]string {
	return map[string]string{
		"revision": revision,
		"config.yaml": "server:\n  port: 8080\n  timeout: 30s\nlogging:\n  level: info\n  format: json\n" +
			"features:\n  tracing: true\n  metrics: true\n",
	}
}

func configMap(name, revision string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: floorNamespace, Name: name, Labels: map[string]string{"app": "bench"}},
		Data:       data(revision),
	}
}

// inParallel calls do for every name, in every member, with the given number of
// calls at a time in each, and returns how long all took.
func (b *bench) inParallel(ctx context.Context, names []string, do func(context.Context, *memberCluster, string) error) (time.Duration, error) {
	start := time.Now()
	members, ctx := errgroup.WithContext(ctx)
	for _, m := range b.members {
		members.Go(func() error {
			group, ctx := errgroup.WithContext(ctx)
			group.SetLimit(b.concurrency)
			for _, name := range names {
				group.Go(func() error { return do(ctx, m, name) })
			}
			return group.Wait()
		})
	}
	err := members.Wait()
	return time.Since(start), err
}

// The raw floor: the cheapest requests that have the same outcome.

func (b *bench) floorCreate(ctx context.Context, names []string) (time.Duration, error) {
	return b.inParallel(ctx, names, func(ctx context.Context, m *memberCluster, name string) error {
		_, err := m.kube.CoreV1().ConfigMaps(floorNamespace).Create(ctx, configMap(name, "1"), createOptions)
		return err
	})
}

func (b *bench) floorUpdate(ctx context.Context, names []string) (time.Duration, error) {
	return b.inParallel(ctx, names, func(ctx context.Context, m *memberCluster, name string) error {
		_, err := m.kube.CoreV1().ConfigMaps(floorNamespace).Update(ctx, configMap(name, "2"), metav1.UpdateOptions{})
		return err
	})
}

func (b *bench) floorDelete(ctx context.Context, names []string) (time.Duration, error) {
	return b.inParallel(ctx, names, func(ctx context.Context, m *memberCluster, name string) error {
		return m.kube.CoreV1().ConfigMaps(floorNamespace).Delete(ctx, name, metav1.DeleteOptions{})
	})
}

// floorApply is server-side apply of the same objects: what that alone costs
// beside create and update.
func (b *bench) floorApply(ctx context.Context, names []string, revision string) (time.Duration, error) {
	return b.inParallel(ctx, names, func(ctx context.Context, m *memberCluster, name string) error {
		apply := applycorev1.ConfigMap(name, floorNamespace).WithLabels(map[string]string{"app": "bench"}).WithData(data(revision))
		_, err := m.kube.CoreV1().ConfigMaps(floorNamespace).Apply(ctx, apply, metav1.ApplyOptions{FieldManager: "floor", Force: true})
		return err
	})
}

func (m *memberCluster) createNamespace(ctx context.Context, name string) error {
	_, err := m.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, createOptions)
	if err != nil {
		return fmt.Errorf("%s: creating namespace %s: %w", m.name, name, err)
	}
	return nil
}

func (m *memberCluster) hasNamespace(ctx context.Context, name string) (bool, error) {
	_, err := m.kube.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
