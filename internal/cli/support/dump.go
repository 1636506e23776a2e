package support

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"

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
	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
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
const pageSize = 200

// notRead is the file that says what is missing.
const notRead = "not-read.txt"

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
	// examine makes the report of fedctl doctor.
	examine func(context.Context) (diagnosis.Report, error)
	dir     string

	files    int
	problems []string
	// at is what is being written, for who waits.
	at atomic.Pointer[string]
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
	examine := func(ctx context.Context) (diagnosis.Report, error) { return checkup.Examine(ctx, f) }
	return &dump{factory: f, host: host, clients: clients, examine: examine, dir: dir}, nil
}

// write writes all there is. The error is the disk's, or the host's that does not answer;
// what else is missing is noted.
func (d *dump) write(ctx context.Context) error {
	d.tell("looking for what is wrong")
	report, err := d.examine(ctx)
	if err != nil {
		return err
	}
	if err := d.document("doctor.json", report); err != nil {
		return err
	}
	for _, write := range []func(context.Context) error{d.versions, d.plane, d.federated, d.definitions, d.events, d.logs} {
		if err := write(ctx); err != nil {
			return err
		}
	}
	if len(d.problems) > 0 {
		return d.file(notRead, []byte(strings.Join(d.problems, "\n")+"\n"))
	}
	return nil
}

func (d *dump) tell(what string) { d.at.Store(&what) }

// problem notes what could not be read; what is not there is no problem.
func (d *dump) problem(what string, err error) {
	if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
		d.problems = append(d.problems, fmt.Sprintf("reading %s: %v", what, err))
	}
}

func (d *dump) versions(ctx context.Context) error {
	var host any
	if err := ctx.Err(); err != nil { // the question takes no context
		d.problem("the host's version", err)
	} else {
		server, err := d.clients.Discovery().ServerVersion()
		d.problem("the host's version", err)
		host = server
	}
	return d.document("versions.json", map[string]any{"fedctl": version.Get(), "host": host})
}

// plane writes the objects of the control plane, and what users give it to carry out.
func (d *dump) plane(ctx context.Context) error {
	for _, k := range kept {
		namespace := ""
		if k.plane {
			namespace = d.factory.KubeFedNamespace
		}
		if err := d.objects(ctx, filepath.Join("objects", strings.ToLower(k.kind.Kind)+".yaml"), k.kind, namespace); err != nil {
			return err
		}
	}
	return nil
}

func (d *dump) federated(ctx context.Context) error {
	types, err := fedtypes.List(ctx, d.host, d.factory)
	if err != nil && !errors.Is(err, fedtypes.ErrNoControlPlane) {
		d.problem("the federated types, and so what is federated", err)
	}
	for i := range types {
		if err := d.objects(ctx, filepath.Join("federated", types[i].CRDName()+".yaml"), types[i].Federated.GVK, ""); err != nil {
			return err
		}
	}
	return nil
}

// objects writes all objects of a kind.
func (d *dump) objects(ctx context.Context, file string, kind schema.GroupVersionKind, namespace string) error {
	out := d.newFile(file)
	separator := ""
	return out.end(pages(ctx, d, kind.Kind+" objects", namespace, func() *unstructured.UnstructuredList {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		return list
	}, func(list *unstructured.UnstructuredList) error {
		for i := range list.Items {
			document, err := yaml.Marshal(redaction.Object(&list.Items[i]).Object)
			if err != nil {
				return err
			}
			if err := out.write([]byte(separator + string(document))); err != nil {
				return err
			}
			separator = "---\n"
		}
		return nil
	}))
}

// pages has each page of a list written as soon as it is read: nobody knows how many there
// are. Each is read into a new list: into a used one the old token would be read as well,
// where the last page has none. The error is that of writing.
func pages[L client.ObjectList](ctx context.Context, d *dump, what, namespace string, empty func() L, write func(L) error) error {
	read, token := 0, ""
	for more := true; more; more = token != "" {
		d.tell(fmt.Sprintf("reading %s, %d so far", what, read))
		list := empty()
		if err := d.host.List(ctx, list, client.InNamespace(namespace), client.Limit(pageSize), client.Continue(token)); err != nil {
			if read > 0 {
				what = fmt.Sprintf("%s after the first %d", what, read)
			}
			d.problem(what, err)
			return nil
		}
		token = list.GetContinue()
		read += meta.LenList(list)
		if err := write(list); err != nil {
			return err
		}
	}
	return nil
}

// definitions writes which definitions there are, without their schemas.
func (d *dump) definitions(ctx context.Context) error {
	d.tell("reading CustomResourceDefinitions")
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
	out := d.newFile("events.jsonl")
	return out.end(pages(ctx, d, "events", "", func() *corev1.EventList { return &corev1.EventList{} }, func(list *corev1.EventList) error {
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
			if err := out.write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (d *dump) document(name string, content any) error {
	data, err := json.MarshalIndent(content, "", "    ")
	if err != nil {
		return err
	}
	return d.file(name, append(data, '\n'))
}
