package exported_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/exported"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = u.UnmarshalJSON(raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// folder writes an export of some ConfigMaps.
func folder(t *testing.T) (dir string, contents *exported.Contents) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "export")
	f, err := exported.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	contents = exported.New("v1", time.Now())
	contents.Namespace = "kube-federation-system"
	for _, name := range []string{"01-one.yaml", "02-none.yaml", "03-two.yaml"} {
		sheet, err := f.Sheet(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if strings.Contains(name, "none") {
				break
			}
			u := object(t, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: c-%d}, data: {text: \"---\\nyes\", number: \"007\", \"n\": \"y\", \"on\": \"1e3\", \"0x1\": \"~\"}, large: 9007199254740993}", i))
			if err := sheet.Put(u); err != nil {
				t.Fatal(err)
			}
		}
		if err := sheet.Close(); err != nil {
			t.Fatal(err)
		}
		if sheet.Objects > 0 {
			contents.Add(sheet.File)
		}
	}
	if _, err := exported.Read(dir); err == nil {
		t.Error("what is being written has the name already")
	}
	if err := f.Finish(contents); err != nil {
		t.Fatal(err)
	}
	return dir, contents
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir, want := folder(t)
	got, err := exported.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := got.Verify(dir); err != nil {
		t.Error(err)
	}
	if got.Objects != 6 || len(got.Files) != 2 {
		t.Errorf("%d objects in %d files", got.Objects, len(got.Files))
	}
	seen := 0
	for i := range got.Files {
		err := got.Files[i].Each(dir, func(u *unstructured.Unstructured) error {
			seen++
			if n := u.Object["large"]; n != int64(9007199254740993) {
				t.Errorf("the number is %v", n)
			}
			data := map[string]any{"text": "---\nyes", "number": "007", "n": "y", "on": "1e3", "0x1": "~"}
			if diff := cmp.Diff(data, u.Object["data"]); diff != "" {
				t.Error(diff)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if seen != 6 {
		t.Errorf("%d objects were read", seen)
	}
	if _, err := exported.Create(dir); err == nil || !strings.Contains(err.Error(), "is not empty: name a new folder") {
		t.Errorf("writing into an export: %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, "01-one.yaml"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestWhatIsNotWholeIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"a file is missing":    {func(dir string) error { return os.Remove(filepath.Join(dir, "03-two.yaml")) }, "03-two.yaml is missing"},
		"a file is cut":        {func(dir string) error { return os.Truncate(filepath.Join(dir, "03-two.yaml"), 50) }, "03-two.yaml has 50 bytes instead of"},
		"a file is another":    {func(dir string) error { return replace(dir, "03-two.yaml", "007", "008") }, "03-two.yaml has another content than was written"},
		"the contents are cut": {func(dir string) error { return os.Truncate(filepath.Join(dir, "CONTENTS"), 50) }, "is not whole"},
		"no contents":          {func(dir string) error { return os.Remove(filepath.Join(dir, "CONTENTS")) }, "it is not an export, or one that did not end"},
		"empty contents":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, "CONTENTS"), []byte("{}"), 0o600) }, "is not what fedctl export writes"},
		"a later format":       {func(dir string) error { return replace(dir, "CONTENTS", `"formatVersion": 1`, `"formatVersion": 2`) }, "in format 2"},
		"another number":       {func(dir string) error { return replace(dir, "CONTENTS", `"objects": 6`, `"objects": 7`) }, "speaks of 7 objects, and its files of 6"},
		"a file elsewhere":     {func(dir string) error { return replace(dir, "CONTENTS", `01-one.yaml`, `../01-one.yaml`) }, "which is not in the folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := folder(t)
			if err := test.damage(dir); err != nil {
				t.Fatal(err)
			}
			c, err := exported.Read(dir)
			if err == nil {
				err = c.Verify(dir)
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func replace(dir, file, from, to string) error {
	path := filepath.Join(dir, file)
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(raw), from) {
		return errors.New("there is no " + from)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(raw), from, to, 1)), 0o600)
}

func TestAnExportMayBeOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "export.tar.gz")
	f, err := exported.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := f.Sheet("01-one.yaml")
	if err != nil {
		t.Fatal(err)
	}
	contents := exported.New("v1", time.Now())
	contents.Namespace = "kube-federation-system"
	if err := errors.Join(sheet.Put(object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}")), sheet.Close()); err != nil {
		t.Fatal(err)
	}
	contents.Add(sheet.File)
	if err := f.Finish(contents); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v is there: %v", left, err)
	}
	if _, err := exported.Create(path); err == nil || !strings.Contains(err.Error(), "name a new file") {
		t.Errorf("%v", err)
	}
	dir, done, err := exported.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	read, err := exported.Read(dir)
	if err == nil {
		err = read.Verify(dir)
	}
	if err != nil || read.Objects != 1 {
		t.Errorf("%v %v", read, err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what it was unpacked to is there: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v", info, err)
	}
	if err := os.Truncate(path, info.Size()-20); err != nil {
		t.Fatal(err)
	}
	if _, _, err := exported.Open(path); err == nil || !strings.Contains(err.Error(), "is not an export, or not whole") {
		t.Errorf("%v", err)
	}
}

func TestAnExportThatDidNotEndIsNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "export")
	if _, err := exported.Create(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there: %v", dir, err)
	}
	if _, err := exported.Create(dir); err == nil || !strings.Contains(err.Error(), "another export is being written, or one has not ended") {
		t.Errorf("%v", err)
	}
	if _, err := exported.Read(dir + ".partial"); err == nil {
		t.Error("it is taken for whole")
	}
}

func TestPortable(t *testing.T) {
	got := exported.Portable(object(t, `
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata:
  name: member-1
  namespace: kube-federation-system
  uid: u
  resourceVersion: "5"
  generation: 3
  creationTimestamp: "2026-11-30T20:00:00Z"
  finalizers: [x/y]
  ownerReferences: [{apiVersion: v1, kind: Pod, name: p, uid: u}]
  managedFields: [{manager: m}]
  labels: {tier: gold}
  annotations:
    fedctl.io/cluster-uid: abc
    fedctl.io/service-account: kube-federation-system/member-1-host
    fedctl.io/nodes: "3"
    fedctl.io/fleet-access: s
    cluster.fedctl.io/scalable: nvidia.com/gpu=64
    example.com/owner: me
spec: {apiEndpoint: "https://m:6443"}
status: {conditions: [{type: Ready}]}
`))
	want := object(t, `
apiVersion: core.kubefed.io/v1beta1
kind: KubeFedCluster
metadata:
  name: member-1
  namespace: kube-federation-system
  labels: {tier: gold}
  annotations: {fedctl.io/cluster-uid: abc, cluster.fedctl.io/scalable: nvidia.com/gpu=64, example.com/owner: me}
spec: {apiEndpoint: "https://m:6443"}
`)
	if diff := cmp.Diff(want.Object, got.Object); diff != "" {
		t.Error(diff)
	}
	namespace := exported.Portable(object(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {kubernetes.io/metadata.name: shop, kubefed.io/managed: "true", team: a}}, spec: {finalizers: [kubernetes]}}`))
	if diff := cmp.Diff(object(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}`).Object, namespace.Object); diff != "" {
		t.Error(diff)
	}
}

func TestPassingRequestsOfCapacitiesStay(t *testing.T) {
	now := time.Date(2026, 11, 30, 20, 0, 0, 0, time.UTC)
	for until, left := range map[string]bool{"2026-11-30T20:10:00Z": false, "2036-01-01T00:00:00Z": true, "never": false} {
		u := object(t, `{apiVersion: cluster.fedctl.io/v1alpha1, kind: ClusterCapacity, metadata: {name: m}, spec: {followRequestsUntil: "`+until+`"}}`)
		if got := exported.WithoutPassing(u, now); got != left {
			t.Errorf("%s: %v", until, got)
		}
	}
}

func TestBackupsOfTheHostRest(t *testing.T) {
	for kind, field := range map[string]string{"Backup": "suspend", "BackupRepository": "readOnly"} {
		u := object(t, `{apiVersion: backup.fedctl.io/v1alpha1, kind: `+kind+`, metadata: {name: m}, spec: {}}`)
		if err := exported.Rest(u); err != nil {
			t.Fatal(err)
		}
		if set, _, _ := unstructured.NestedBool(u.Object, "spec", field); !set {
			t.Errorf("%s: %v", kind, u.Object)
		}
	}
}

func TestRecordsGoWithWhatHasEnded(t *testing.T) {
	job := object(t, `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedJob
metadata: {name: once, namespace: shop}
spec: {}
status:
  clusters:
  - {name: a, status: Completed, version: 00aa.00000000000000bb.11111111..s}
  - {name: b, version: 00aa.00000000000000bb.22222222}
  - {name: c, status: WaitingForRemoval, version: 00aa.00000000000000bb.33333333}
  - {name: d, version: none}
  - {name: e, status: Completed, version: 00aa.00000000000000bb.44444444..f}
`)
	if !exported.Recorded(schema.GroupKind{Group: "batch", Kind: "Job"}, job) || exported.Recorded(schema.GroupKind{Kind: "ConfigMap"}, job) {
		t.Error("which kinds are recorded")
	}
	portable := exported.Portable(job)
	exported.Record(schema.GroupKind{Group: "batch", Kind: "Job"}, portable, job)
	got := exported.RecordFor(portable, func(cluster string) string {
		return map[string]string{"a": "aaaaaaaa", "b": "bbbbbbbb"}[cluster]
	})
	want := map[string]any{"status": map[string]any{"clusters": []any{
		map[string]any{"name": "a", "status": "Completed", "version": "00aa.00000000000000bb.aaaaaaaa..s"},
		map[string]any{"name": "b", "version": "00aa.00000000000000bb.bbbbbbbb"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !exported.HasRecords(portable) || exported.RecordFor(object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}"), func(string) string { return "a" }) != nil {
		t.Error("records")
	}
	if !exported.Same(portable, job) {
		t.Error("what is recorded makes an object another one")
	}
}

// Where an autoscaler has gone and its last number stays, only the status tells.
func TestRecordsSayWhoseTheReplicasAre(t *testing.T) {
	web := object(t, `
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: web, namespace: shop}
spec: {}
status:
  clusters:
  - {name: a, version: 00aa.00000000000000bb.11111111, autoscaling: {replicas: Kept, templateReplicas: 2}}
  - {name: b, version: 00aa.00000000000000bb.22222222}
  - {name: c, autoscaling: {requestsBy: VerticalPodAutoscaler web}}
  - {name: d, autoscaling: {replicas: Autoscaled, by: HorizontalPodAutoscaler web, templateReplicas: 2}}
`)
	portable := exported.Portable(web)
	exported.Record(schema.GroupKind{Group: "apps", Kind: "Deployment"}, portable, web)
	got := exported.RecordFor(portable, func(cluster string) string { return map[string]string{"a": "aaaaaaaa", "b": "bbbbbbbb"}[cluster] })
	want := map[string]any{"status": map[string]any{"clusters": []any{
		map[string]any{"name": "a", "autoscaling": map[string]any{"replicas": "Kept", "templateReplicas": int64(2)}},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !exported.Same(portable, web) {
		t.Error("what is recorded makes an object another one")
	}
}
