package restore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

const (
	here  = "host"
	there = "member-1"
)

var fleet *localcluster.Fleet

func TestRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("needs real clusters")
	}
	RegisterFailHandler(Fail)
	logf.SetLogger(GinkgoLogr)
	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "restore")
}

var _ = BeforeSuite(func(ctx context.Context) {
	dir := GinkgoT().TempDir()
	var err error
	fleet, err = localcluster.Up(ctx, localcluster.Options{
		Dir: dir, Members: 1, DieWithParent: true, Log: GinkgoWriter,
		Without: []string{localcluster.Scheduler, localcluster.Kwok},
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(localcluster.Down(ctx, dir)).To(Succeed()) })
}, NodeTimeout(10*time.Minute))

func configOf(name string) *rest.Config {
	GinkgoHelper()
	config, err := fleet.Config(name)
	Expect(err).NotTo(HaveOccurred())
	config.QPS, config.Burst = 200, 400
	config.WarningHandler = rest.NoWarnings{}
	return config
}

func clientOf(name string) client.Client {
	GinkgoHelper()
	c, err := client.New(configOf(name), client.Options{})
	Expect(err).NotTo(HaveOccurred())
	return c
}

// create creates the objects of a manifest.
func create(ctx context.Context, cluster, manifest string) {
	GinkgoHelper()
	c := clientOf(cluster)
	for _, object := range parseAll(manifest) {
		// A kind may just have been defined, a namespace not have its account yet.
		Eventually(func() error { return c.Create(ctx, object.DeepCopy()) }).Should(Succeed(), object.GetName())
	}
}

func parseAll(manifest string) []*unstructured.Unstructured {
	GinkgoHelper()
	var out []*unstructured.Unstructured
	decoder := yaml.NewYAMLToJSONDecoder(strings.NewReader(manifest))
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return out
		}
		Expect(err).NotTo(HaveOccurred())
		out = append(out, object)
	}
}

func get(ctx context.Context, cluster, apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	GinkgoHelper()
	object, err := find(ctx, cluster, apiVersion, kind, namespace, name)
	Expect(err).NotTo(HaveOccurred())
	return object
}

func find(ctx context.Context, cluster, apiVersion, kind, namespace, name string) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(apiVersion)
	object.SetKind(kind)
	err := clientOf(cluster).Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	return object, err
}

// remove deletes a namespace and waits until it is gone.
func remove(ctx context.Context, cluster, namespace string) {
	GinkgoHelper()
	c := clientOf(cluster)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	Expect(client.IgnoreNotFound(c.Delete(ctx, ns))).To(Succeed())
	// Longer than else: the cluster waits for the grace period of pods, whether or not any run.
	Eventually(func() []corev1.NamespaceCondition {
		err := c.Get(ctx, client.ObjectKey{Name: namespace}, ns)
		if apierrors.IsNotFound(err) {
			return nil
		}
		Expect(err).NotTo(HaveOccurred())
		return append(ns.Status.Conditions, corev1.NamespaceCondition{Message: "is still there"})
	}).WithTimeout(4*time.Minute).Should(BeEmpty(), namespace)
}

func clusterUID(ctx context.Context, cluster string) string {
	GinkgoHelper()
	return string(get(ctx, cluster, "v1", "Namespace", "", "kube-system").GetUID())
}

// save writes a snapshot of namespaces, their Namespaces, and objects of no
// namespace with a prefix in their names, and opens it.
func save(ctx context.Context, cluster, prefix string, namespaces ...string) *repository.Reader {
	GinkgoHelper()
	return saveMatching(ctx, cluster, func(name string) bool { return strings.HasPrefix(name, prefix) }, namespaces...)
}

// saveMatching is save for objects of no namespace whose names match.
func saveMatching(ctx context.Context, cluster string, matches func(name string) bool, namespaces ...string) *repository.Reader {
	GinkgoHelper()
	config := repository.Config{Storage: &repository.Filesystem{Path: filepath.Join(GinkgoT().TempDir(), "repository")}, Password: "correct horse"}
	r, err := repository.Open(ctx, config, repository.Owner{ClusterUID: clusterUID(ctx, cluster)})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) { Expect(r.Close(ctx)).To(Succeed()) })
	source := repository.Source{Namespace: "backups", Backup: "all", Run: fmt.Sprintf("all-%d", GinkgoRandomSeed())}
	snapshot, err := r.Write(ctx, source, func(ctx context.Context, w *repository.Writer) error {
		return saveAll(ctx, w, cluster, matches, namespaces)
	})
	Expect(err).NotTo(HaveOccurred())
	reader, err := r.Read(ctx, snapshot.ID)
	Expect(err).NotTo(HaveOccurred())
	return reader
}

func saveAll(ctx context.Context, w *repository.Writer, cluster string, matches func(string) bool, namespaces []string) error {
	served, err := discovery.NewDiscoveryClientForConfigOrDie(configOf(cluster)).ServerPreferredResources()
	if err != nil {
		return err
	}
	c := clientOf(cluster)
	for _, list := range served {
		for _, api := range list.APIResources {
			if !slices.Contains(api.Verbs, "list") || !slices.Contains(api.Verbs, "create") {
				continue
			}
			gv, _, _ := strings.Cut(list.GroupVersion, " ")
			group, version, ok := strings.Cut(gv, "/")
			if !ok {
				group, version = "", gv
			}
			resource := content.Resource{Group: group, Version: version, Plural: api.Name, Kind: api.Kind, Namespaced: api.Namespaced}
			if err := saveResource(ctx, w, c, resource, matches, namespaces); err != nil {
				return err
			}
		}
	}
	return nil
}

func saveResource(ctx context.Context, w *repository.Writer, c client.Client, resource content.Resource, matches func(string) bool, namespaces []string) error {
	if _, omit := content.OmitResource(resource.Group, resource.Plural); omit {
		return nil
	}
	objects := &unstructured.UnstructuredList{}
	objects.SetAPIVersion(resource.GVK().GroupVersion().String())
	objects.SetKind(resource.Kind + "List")
	if err := c.List(ctx, objects); err != nil {
		return err
	}
	rw := w.Resource(ctx, repository.Resource{Group: resource.Group, Version: resource.Version, Resource: resource.Plural, Kind: resource.Kind, Namespaced: resource.Namespaced})
	for _, object := range objects.Items {
		wanted := slices.Contains(namespaces, object.GetNamespace())
		if !resource.Namespaced {
			wanted = matches(object.GetName()) || (resource.Kind == "Namespace" && slices.Contains(namespaces, object.GetName()))
		}
		if _, omit := content.Omit(resource, object.Object); omit || !wanted {
			continue
		}
		content.Clean(resource, object.Object)
		var line bytes.Buffer
		if err := json.NewEncoder(&line).Encode(object.Object); err != nil {
			return err
		}
		if err := rw.Add(object.GetNamespace()+"/"+object.GetName(), bytes.TrimSpace(line.Bytes())); err != nil {
			return err
		}
	}
	return rw.Close("")
}

// objectsOf reads all objects of a snapshot, by resource and name.
func objectsOf(ctx context.Context, reader *repository.Reader) map[content.Resource][]*unstructured.Unstructured {
	GinkgoHelper()
	out := map[content.Resource][]*unstructured.Unstructured{}
	for _, file := range reader.Manifest().Resources {
		resource := content.Resource{Group: file.Group, Version: file.Version, Plural: file.Resource.Resource, Kind: file.Kind, Namespaced: file.Namespaced}
		for line, err := range reader.Objects(ctx, file.Resource) {
			Expect(err).NotTo(HaveOccurred())
			object := &unstructured.Unstructured{}
			Expect(object.UnmarshalJSON(line)).To(Succeed())
			out[resource] = append(out[resource], object)
		}
	}
	return out
}
