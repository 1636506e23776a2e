package repository_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/network"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

var (
	configMaps  = repository.Resource{Version: "v1", Resource: "configmaps", Kind: "ConfigMap", Namespaced: true}
	deployments = repository.Resource{Group: "apps", Version: "v1", Resource: "deployments", Kind: "Deployment", Namespaced: true}
	owner       = repository.Owner{ClusterUID: "0f4e9f1c-6a5e-4b7e-9d55-aaaaaaaaaaaa"}
	other       = repository.Owner{ClusterUID: "77777777-6a5e-4b7e-9d55-bbbbbbbbbbbb"}
)

func inDir(t *testing.T) repository.Config {
	return repository.Config{Storage: &repository.Filesystem{Path: t.TempDir() + "/repository"}, Password: "correct horse", CacheDir: t.TempDir()}
}

// directory is where inDir has put a repository.
func directory(config repository.Config) string { return config.Storage.(*repository.Filesystem).Path }

// loopback allows the servers of the tests, which are on this machine.
var loopback = network.Rules{Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

func open(t *testing.T, config repository.Config) *repository.Repository {
	t.Helper()
	r, err := repository.Open(t.Context(), config, owner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func source(run string) repository.Source {
	at := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	return repository.Source{Namespace: "team-a", Backup: "nightly", Run: run, ScheduledFor: &at}
}

// object is one that compresses as badly as none does in a cluster.
func object(name string, size int, seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 7))
	var data strings.Builder
	for data.Len() < size {
		fmt.Fprintf(&data, "%016x", random.Uint64())
	}
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":"team-a"},"data":{"k":%q}}`, name, data.String())
}

// save writes count ConfigMaps of 2 KiB, of which those that changed says have other content.
func save(t *testing.T, r *repository.Repository, run string, count int, changed func(i int) bool) *repository.Snapshot {
	t.Helper()
	s, err := r.Write(t.Context(), source(run), func(ctx context.Context, w *repository.Writer) error {
		file := w.Resource(ctx, configMaps)
		for i := range count {
			name := fmt.Sprintf("object-%05d", i)
			seed := uint64(i)
			if changed != nil && changed(i) {
				seed += 1 << 32
			}
			if err := file.Add("team-a/"+name, object(name, 2000, seed)); err != nil {
				return err
			}
		}
		return file.Close("")
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantReason(t *testing.T, err error, reason repository.Reason) {
	t.Helper()
	if err == nil || repository.ReasonOf(err) != reason {
		t.Fatalf("got %q (%v), want the reason %s", repository.ReasonOf(err), err, reason)
	}
	if strings.Contains(err.Error(), "correct horse") {
		t.Fatalf("the error names the password: %v", err)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	config := inDir(t)
	r := open(t, config)
	const count = 3000
	written, err := r.Write(t.Context(), source("nightly-1"), func(ctx context.Context, w *repository.Writer) error {
		w.SetKubernetesVersion("v1.36.3")
		w.LeaveOut(repository.LeftOut{Resource: "events", Reason: "cannot be restored"})
		w.Warn(v1alpha1.ResourceWarning{Resource: "widgets.example.com", Message: "cannot be listed"})
		maps, apps := w.Resource(ctx, configMaps), w.Resource(ctx, deployments)
		for i := range count {
			name := fmt.Sprintf("object-%05d", i)
			if err := errors.Join(maps.Add("team-a/"+name, object(name, 2000, uint64(i))),
				apps.Add("team-a/"+name, []byte("{\"n\":\n"+fmt.Sprint(i)+"}"))); err != nil {
				return err
			}
		}
		abandoned := w.Resource(ctx, repository.Resource{Version: "v1", Resource: "secrets", Kind: "Secret"})
		_ = abandoned.Add("team-a/s", []byte(`{}`))
		abandoned.Discard()
		empty := w.Resource(ctx, repository.Resource{Version: "v1", Resource: "pods", Kind: "Pod", Namespaced: true})
		return errors.Join(maps.Close(""), apps.Close("the list broke off"), empty.Close(""))
	})
	if err != nil {
		t.Fatal(err)
	}
	if written.Objects != 2*count || !written.Partial || written.StoredBytes == 0 || written.StoredBytes > written.Bytes {
		t.Errorf("unexpected snapshot: %+v", written)
	}

	// Another process, or another cluster, reads it.
	reading, err := repository.OpenReadOnly(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reading.Close(context.Background()) }()
	if reading.ClusterUID() != owner.ClusterUID {
		t.Errorf("the owner is %q", reading.ClusterUID())
	}
	listed, err := reading.Snapshots(t.Context(), repository.Filter{Namespace: "team-a", Backup: "nightly"})
	if err != nil || len(listed) != 1 {
		t.Fatalf("got %v %v, want one snapshot", listed, err)
	}
	if got := listed[0]; got.ID != written.ID || got.Run != "nightly-1" || got.Objects != 2*count || !got.Partial ||
		got.ScheduledFor == nil || !got.ScheduledFor.Equal(*source("").ScheduledFor) || got.ClusterUID != owner.ClusterUID {
		t.Errorf("unexpected snapshot in the list: %+v", got)
	}
	if none, err := reading.Snapshots(t.Context(), repository.Filter{Backup: "weekly"}); err != nil || len(none) != 0 {
		t.Errorf("got %v %v for another Backup", none, err)
	}
	reader, err := reading.Read(t.Context(), written.ID)
	if err != nil {
		t.Fatal(err)
	}
	m := reader.Manifest()
	if len(m.Resources) != 3 || m.Cluster.KubernetesVersion != "v1.36.3" || len(m.Warnings) != 1 || len(m.LeftOut) != 1 || !m.Partial {
		t.Errorf("unexpected manifest: %+v", m)
	}
	i := 0
	for data, err := range reader.Objects(t.Context(), configMaps) {
		if err != nil {
			t.Fatal(err)
		}
		if want := object(fmt.Sprintf("object-%05d", i), 2000, uint64(i)); string(data) != string(want) {
			t.Fatalf("object %d is not what was written", i)
		}
		i++
	}
	if i != count {
		t.Errorf("got %d objects, want %d", i, count)
	}
	for data, err := range reader.Objects(t.Context(), deployments) {
		if err != nil || string(data) != `{"n":0}` {
			t.Errorf("got %q %v", data, err)
		}
		break
	}
	if err := reading.Verify(t.Context(), written.ID, true); err != nil {
		t.Error(err)
	}
}

func TestLittleIsWrittenWhenLittleHasChanged(t *testing.T) {
	r := open(t, inDir(t))
	const count = 20000
	first := save(t, r, "run-1", count, nil)
	second := save(t, r, "run-2", count, nil)
	third := save(t, r, "run-3", count, func(i int) bool { return i%2000 == 77 })
	t.Logf("bytes stored: %d, unchanged %d, 10 of %d changed %d", first.StoredBytes, second.StoredBytes, count, third.StoredBytes)
	if limit := first.StoredBytes / 50; second.StoredBytes > limit || third.StoredBytes > limit {
		t.Errorf("more than 2%% of %d was written: %d, %d", first.StoredBytes, second.StoredBytes, third.StoredBytes)
	}
}

func TestForgetAndMaintain(t *testing.T) {
	r := open(t, inDir(t))
	first, second := save(t, r, "run-1", 100, nil), save(t, r, "run-2", 100, nil)
	if err := r.Forget(t.Context(), first.ID, "0123456789abcdef0123456789abcdef"); err != nil {
		t.Fatal(err)
	}
	if err := r.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	listed, err := r.Snapshots(t.Context(), repository.Filter{})
	if err != nil || len(listed) != 1 || listed[0].ID != second.ID {
		t.Errorf("got %v %v, want the second one only", listed, err)
	}
	_, err = r.Read(t.Context(), first.ID)
	wantReason(t, err, repository.NotFound)
	if err := r.Verify(t.Context(), second.ID, true); err != nil {
		t.Error(err)
	}
	usage, err := r.Usage(t.Context())
	if err != nil || usage.Bytes < second.StoredBytes || usage.Blobs < 3 {
		t.Errorf("unexpected usage %+v %v", usage, err)
	}
}

func TestAFailedRunLeavesNoSnapshot(t *testing.T) {
	r := open(t, inDir(t))
	cause := errors.New("the cluster is gone")
	_, err := r.Write(t.Context(), source("run-1"), func(ctx context.Context, w *repository.Writer) error {
		file := w.Resource(ctx, configMaps)
		if err := file.Add("a/b", object("b", 40000, 1)); err != nil {
			return err
		}
		return cause
	})
	if !errors.Is(err, cause) {
		t.Fatalf("got %v, want the cause", err)
	}
	if listed, err := r.Snapshots(t.Context(), repository.Filter{}); err != nil || len(listed) != 0 {
		t.Errorf("got %v %v, want no snapshot", listed, err)
	}
}
