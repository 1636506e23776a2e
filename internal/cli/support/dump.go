package support

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/cli/checkup"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/cli/support/redaction"
	"github.com/fedctl/fedctl/internal/version"
	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// pageSize is how many objects are read at a time.
const pageSize = 500

// kept are the kinds of objects that a dump has beside the federated ones; those of the
// control plane only from its namespace.
var kept = []struct {
	kind  schema.GroupVersionKind
	plane bool
}{
	{fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedConfig"), true},
	{fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"), true},
	{fedcorev1beta1.SchemeGroupVersion.WithKind("FederatedTypeConfig"), true},
	{fedschedulingv1alpha1.SchemeGroupVersion.WithKind("ReplicaSchedulingPreference"), false},
	{clusterv1alpha1.GroupVersion.WithKind("ClusterCapacity"), true},
	{policyv1alpha1.GroupVersion.WithKind("ClusterOverridePolicy"), false},
	{policyv1alpha1.GroupVersion.WithKind("OverridePolicy"), false},
	{backupv1alpha1.GroupVersion.WithKind("BackupRepository"), false},
	{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, true},
	{schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, true},
	{schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}, true},
}

// dump writes one.
type dump struct {
	factory *cmdutil.Factory
	host    client.Client
	clients kubernetes.Interface
	dir     string

	files    int
	problems []string
}

func newDump(f *cmdutil.Factory, dir string) (*dump, error) {
	host, err := f.HostClient()
	if err != nil {
		return nil, err
	}
	config, err := f.HostConfig()
	if err != nil {
		return nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &dump{factory: f, host: host, clients: clients, dir: dir}, nil
}

// write writes all there is. The error is the disk's, or the host's that does not answer.
func (d *dump) write(ctx context.Context) error {
	report, err := checkup.Examine(ctx, d.factory)
	if err != nil {
		return err
	}
	if err := d.document("doctor.json", report); err != nil {
		return err
	}
	server, err := d.clients.Discovery().ServerVersion()
	d.problem("the host's version", err)
	if err := d.document("versions.json", map[string]any{"fedctl": version.Get(), "host": server}); err != nil {
		return err
	}
	for _, k := range kept {
		namespace := ""
		if k.plane {
			namespace = d.factory.KubeFedNamespace
		}
		if err := d.objects(ctx, filepath.Join("objects", strings.ToLower(k.kind.Kind)+".yaml"), k.kind, namespace); err != nil {
			return err
		}
	}
	for _, write := range []func(context.Context) error{d.federated, d.definitions, d.events, d.logs} {
		if err := write(ctx); err != nil {
			return err
		}
	}
	if len(d.problems) > 0 {
		return d.file("not-read.txt", []byte(strings.Join(d.problems, "\n")+"\n"))
	}
	return nil
}

// problem notes what could not be read; what is not there is no problem.
func (d *dump) problem(what string, err error) {
	if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		d.problems = append(d.problems, fmt.Sprintf("reading %s: %v", what, err))
	}
}

func (d *dump) federated(ctx context.Context) error {
	types, err := fedtypes.List(ctx, d.host, d.factory)
	if err != nil && !errors.Is(err, fedtypes.ErrNoControlPlane) {
		d.problem("the federated types", err)
	}
	for i := range types {
		if err := d.objects(ctx, filepath.Join("federated", types[i].CRDName()+".yaml"), types[i].Federated.GVK, ""); err != nil {
			return err
		}
	}
	return nil
}

// objects writes all objects of a kind, page by page.
func (d *dump) objects(ctx context.Context, file string, kind schema.GroupVersionKind, namespace string) error {
	var documents []string
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	for more := true; more; more = list.GetContinue() != "" {
		if err := d.host.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(list.GetContinue())); err != nil {
			d.problem(kind.Kind+" objects", err)
			break
		}
		for i := range list.Items {
			document, err := yaml.Marshal(redaction.Object(&list.Items[i]).Object)
			if err != nil {
				return err
			}
			documents = append(documents, string(document))
		}
	}
	if len(documents) == 0 {
		return nil
	}
	return d.file(file, []byte(strings.Join(documents, "---\n")))
}

// definitions writes which definitions there are, without their schemas.
func (d *dump) definitions(ctx context.Context) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinitionList"})
	if err := d.host.List(ctx, list); err != nil {
		d.problem("CustomResourceDefinitions", err)
		return nil
	}
	found := map[string]any{}
	for i := range list.Items {
		u := &list.Items[i]
		group, _, _ := unstructured.NestedString(u.Object, "spec", "group")
		if !strings.HasSuffix(group, "kubefed.io") && !strings.HasSuffix(group, "fedctl.io") {
			continue
		}
		versions, _, _ := unstructured.NestedSlice(u.Object, "spec", "versions")
		names := []string{}
		for _, v := range versions {
			if v, ok := v.(map[string]any); ok {
				names = append(names, fmt.Sprint(v["name"]))
			}
		}
		found[u.GetName()] = map[string]any{"versions": names, "generation": u.GetGeneration(), "created": u.GetCreationTimestamp(), "deleted": u.GetDeletionTimestamp()}
	}
	return d.document("definitions.json", found)
}

// events writes those of the control plane's namespace, and what the controller has sent
// of objects elsewhere.
func (d *dump) events(ctx context.Context) error {
	var lines []string
	list := &corev1.EventList{}
	for more := true; more; more = list.Continue != "" {
		if err := d.host.List(ctx, list, client.Limit(pageSize), client.Continue(list.Continue)); err != nil {
			d.problem("events", err)
			break
		}
		for i := range list.Items {
			e := &list.Items[i]
			if e.Namespace != d.factory.KubeFedNamespace && e.ReportingController != kubefedconfig.Controller && e.Source.Component != kubefedconfig.Controller {
				continue
			}
			line, err := json.Marshal(map[string]any{"object": e.InvolvedObject.Kind + " " + e.InvolvedObject.Namespace + "/" + e.InvolvedObject.Name,
				"type": e.Type, "reason": e.Reason, "message": e.Message, "time": e.EventTime, "first": e.FirstTimestamp, "last": e.LastTimestamp, "count": e.Count})
			if err != nil {
				return err
			}
			lines = append(lines, string(line))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return d.file("events.jsonl", []byte(strings.Join(lines, "\n")+"\n"))
}

func (d *dump) document(name string, content any) error {
	data, err := json.MarshalIndent(content, "", "    ")
	if err != nil {
		return err
	}
	return d.file(name, append(data, '\n'))
}

// file writes a file that only its owner may read.
func (d *dump) file(name string, content []byte) error {
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	d.files++
	return os.WriteFile(path, content, 0o600)
}
