package support

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientsetfake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// newTestDump is a dump of a host that has one cluster, and that each list is told of.
func newTestDump(t *testing.T, onList func(ctx context.Context, kind string) error) (d *dump, out, errOut *bytes.Buffer) {
	t.Helper()
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	cluster := &fedcorev1beta1.KubeFedCluster{}
	cluster.Namespace, cluster.Name = cmdutil.DefaultKubeFedNamespace, "oslo"
	host := fake.NewClientBuilder().WithScheme(cmdutil.Scheme).WithObjects(cluster).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			kind := fmt.Sprintf("%T", list)
			if u, ok := list.(*unstructured.UnstructuredList); ok {
				kind = strings.TrimSuffix(u.GetKind(), "List")
			}
			if err := onList(ctx, kind); err != nil {
				return err
			}
			if kind != "KubeFedCluster" {
				return nil
			}
			return c.List(ctx, list, opts...)
		},
	}).Build()
	examine := func(context.Context) (diagnosis.Report, error) { return diagnosis.Report{}, nil }
	return &dump{factory: cmdutil.NewFactory(streams), host: host, clients: clientsetfake.NewClientset(), examine: examine,
		dir: filepath.Join(t.TempDir(), "dump")}, out, errOut
}

func TestDumpThatHasAllSaysSo(t *testing.T) {
	d, out, _ := newTestDump(t, func(context.Context, string) error { return nil })
	if err := errors.Join(d.write(t.Context()), d.report()); err != nil {
		t.Fatal(err)
	}
	if content := readFile(t, d.dir, "objects/kubefedcluster.yaml"); !strings.Contains(content, "name: oslo") {
		t.Errorf("the cluster is not in it: %s", content)
	}
	if _, err := os.Stat(filepath.Join(d.dir, notRead)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v", notRead, err)
	}
	if !strings.Contains(out.String(), "holds 4 files") {
		t.Error(out)
	}
}

// What an interrupted dump lacks is told, in it and by the exit code.
func TestDumpThatIsInterruptedIsNoSuccess(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	d, _, errOut := newTestDump(t, func(ctx context.Context, kind string) error {
		if kind == "FederatedTypeConfig" {
			interrupt()
		}
		return ctx.Err()
	})
	if err := d.write(ctx); err != nil {
		t.Fatal(err)
	}
	if err := d.report(); err == nil || !strings.Contains(err.Error(), notRead) {
		t.Errorf("%v", err)
	}
	for _, text := range []string{readFile(t, d.dir, notRead), errOut.String()} {
		for _, want := range []string{"FederatedTypeConfig objects", "what is federated", "Pod objects", "events", "CustomResourceDefinitions"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not named in:\n%s", want, text)
			}
		}
	}
	if content := readFile(t, d.dir, "objects/kubefedcluster.yaml"); !strings.Contains(content, "name: oslo") {
		t.Errorf("what was read before is not in it: %s", content)
	}
}

func TestDumpSaysWhatMayNotBeRead(t *testing.T) {
	d, _, errOut := newTestDump(t, func(_ context.Context, kind string) error {
		switch kind {
		case "Pod":
			return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("not yours"))
		case "BackupRepository": // backups are not installed, which is no fault
			return &meta.NoKindMatchError{}
		}
		return nil
	})
	if err := d.write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.report(); err == nil {
		t.Error("it says nothing of what it lacks")
	}
	if got := readFile(t, d.dir, notRead); strings.Count(got, "\n") != 1 || !strings.Contains(got, "Pod objects: pods is forbidden") {
		t.Error(got)
	}
	if !strings.Contains(errOut.String(), "warning: reading Pod objects") {
		t.Error(errOut)
	}
}

// A list of many pages ends, and what one event lacks is not taken from another.
func TestDumpReadsEventsPageByPage(t *testing.T) {
	pagesOf := map[string]string{
		"":  `{"kind":"EventList","apiVersion":"v1","metadata":{"continue":"b"},"items":[` + event("one", `,"message":"first"`) + `,` + event("two", "") + `]}`,
		"b": `{"kind":"EventList","apiVersion":"v1","metadata":{},"items":[` + event("three", "") + `]}`,
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if asked++; asked > len(pagesOf) {
			http.Error(w, "there is no more", http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, pagesOf[r.URL.Query().Get("continue")])
	}))
	defer server.Close()
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Event"), meta.RESTScopeNamespace)
	d, _, _ := newTestDump(t, nil)
	var err error
	if d.host, err = client.New(&rest.Config{Host: server.URL}, client.Options{Scheme: cmdutil.Scheme, Mapper: mapper}); err != nil {
		t.Fatal(err)
	}
	if err := d.events(t.Context()); err != nil || len(d.problems) > 0 {
		t.Fatal(err, d.problems)
	}
	var got []string
	for line := range strings.Lines(readFile(t, d.dir, "events.jsonl")) {
		var e struct{ Reason, Message string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Reason+e.Message)
	}
	if want := "onefirst two three"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func event(reason, more string) string {
	return `{"metadata":{"name":"` + reason + `","namespace":"` + cmdutil.DefaultKubeFedNamespace + `"},"reason":"` + reason + `"` + more + `}`
}

func TestDumpSaysWhereALogIsCutOff(t *testing.T) {
	d, _, _ := newTestDump(t, nil)
	broken := io.MultiReader(strings.NewReader("begins"), &failing{})
	if err := d.copyLog("logs/a.log", "the log of Pod a", broken); err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, d.dir, "logs/a.log"); got != "begins" {
		t.Errorf("%q", got)
	}
	if got, want := strings.Join(d.problems, "; "), "reading the log of Pod a: connection lost"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errors.New("connection lost") }

func readFile(t *testing.T, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
