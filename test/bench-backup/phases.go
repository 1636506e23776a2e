package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/capture"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

const (
	namespace = "bench"
	// pageSize of the floor is the largest that a backup asks for.
	pageSize    = 500
	concurrency = 16
)

// connection is what a phase needs to reach the control plane.
type connection struct {
	Host string               `json:"host"`
	TLS  rest.TLSClientConfig `json:"tls"`
}

func writeConnection(file string, config *rest.Config) error {
	content, err := json.Marshal(connection{Host: config.Host, TLS: config.TLSClientConfig})
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}

func readConnection(file string) (*rest.Config, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var c connection
	err = json.Unmarshal(content, &c)
	return &rest.Config{Host: c.Host, TLSClientConfig: c.TLS, QPS: -1}, err
}

// data is text of which half is left after compression, more than of most objects.
func data(size int, seed uint64) string {
	random := rand.New(rand.NewPCG(seed, 1))
	var text strings.Builder
	for text.Len() < size {
		fmt.Fprintf(&text, "%016x", random.Uint64())
	}
	return text.String()[:size]
}

func fill(ctx context.Context, config *rest.Config, o options) error {
	config = rest.CopyConfig(config)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range o.objects {
		group.Go(func() error {
			_, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: objectName(i), Labels: map[string]string{"app": "bench"}},
				Data:       map[string]string{"data": data(o.size, uint64(i))},
			}, metav1.CreateOptions{})
			return err
		})
	}
	return group.Wait()
}

func objectName(i int) string { return fmt.Sprintf("object-%06d", i) }

// change gives some objects other data, in each round others.
func change(ctx context.Context, dir string, o options, round int) error {
	config, err := readConnection(filepath.Join(dir, "connection.json"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for n := range o.changes {
		i := (n*(o.objects/o.changes) + round*7) % o.objects
		object, err := client.CoreV1().ConfigMaps(namespace).Get(ctx, objectName(i), metav1.GetOptions{})
		if err != nil {
			return err
		}
		object.Data["data"] = data(o.size, uint64(o.objects*(round+1)+i))
		if _, err := client.CoreV1().ConfigMaps(namespace).Update(ctx, object, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// runPhase measures one phase and prints its result as JSON.
func runPhase(ctx context.Context, o options) error {
	config, err := readConnection(filepath.Join(filepath.Dir(o.dir), "connection.json"))
	if err != nil {
		return err
	}
	var got result
	if o.phase == "floor" {
		got, err = list(ctx, config)
	} else {
		got, err = save(ctx, config, o)
	}
	if err != nil {
		return err
	}
	if got.Peak, err = localcluster.PeakMemory(os.Getpid()); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

// list is the floor: client-go reads all pages and keeps nothing.
func list(ctx context.Context, config *rest.Config) (result, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return result{}, err
	}
	begun := time.Now()
	var got result
	options := metav1.ListOptions{Limit: pageSize}
	for {
		page, err := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).Namespace(namespace).List(ctx, options)
		if err != nil {
			return result{}, err
		}
		got.Objects += int64(len(page.Items))
		if options.Continue = page.GetContinue(); options.Continue == "" {
			got.Seconds = time.Since(begun).Seconds()
			return got, nil
		}
	}
}

func save(ctx context.Context, config *rest.Config, o options) (got result, err error) {
	r, err := repository.Open(ctx, repository.Config{
		Storage: &repository.Filesystem{Path: filepath.Join(o.dir, "repository")}, Password: "bench", CacheDir: o.dir,
	}, repository.Owner{ClusterUID: "bench"})
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, r.Close(ctx)) }()
	if o.profile != "" {
		file, err := os.Create(o.profile)
		if err != nil {
			return got, err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return got, err
		}
		defer func() { pprof.StopCPUProfile(); _ = file.Close() }()
	}
	begun := time.Now()
	saved, err := capture.Run(ctx, capture.Params{
		Config: config, Repository: r,
		Run:    repository.Source{Namespace: namespace, Backup: "bench", Run: o.run},
		Source: v1alpha1.BackupSource{Namespaces: []string{namespace}},
	})
	if err != nil {
		return got, err
	}
	if saved.Partial {
		return got, fmt.Errorf("the run was partial: %v", saved.Warnings)
	}
	return result{Seconds: time.Since(begun).Seconds(), Objects: saved.Totals.Objects, Bytes: saved.Totals.Bytes, Stored: saved.Totals.StoredBytes}, nil
}
