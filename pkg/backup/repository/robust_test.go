package repository_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/backup/repository"
)

func oneObject(ctx context.Context, w *repository.Writer) error {
	file := w.Resource(ctx, configMaps)
	if err := file.Add("team-a/one", object("one", 100000, uint64(time.Now().UnixNano()))); err != nil {
		return err
	}
	return file.Close("")
}

func TestWrongPassword(t *testing.T) {
	config := inDir(t)
	open(t, config)
	config.Password = "wrong password"
	_, err := repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.WrongPassword)
	if strings.Contains(err.Error(), "wrong password") {
		t.Errorf("the error names the password: %v", err)
	}
}

// TestForeignOwner: what belongs to another cluster is refused and not written, and
// can be read.
func TestForeignOwner(t *testing.T) {
	config := inDir(t)
	saved := save(t, open(t, config), "run-1", 10, nil)
	before := files(t, directory(config))
	_, err := repository.Open(t.Context(), config, other)
	wantReason(t, err, repository.ForeignOwner)
	if !strings.Contains(err.Error(), owner.ClusterUID) {
		t.Errorf("the error does not name the owner: %v", err)
	}
	reading, err := repository.OpenReadOnly(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reading.Close(context.Background()) }()
	if err := reading.Verify(t.Context(), saved.ID, true); err != nil {
		t.Error(err)
	}
	if _, err = reading.Write(t.Context(), source("run-2"), oneObject); err == nil {
		t.Error("a repository that was opened to read could be written to")
	}
	if err = reading.Forget(t.Context(), saved.ID); err == nil {
		t.Error("a repository that was opened to read forgot a snapshot")
	}
	if after := files(t, directory(config)); !equalFiles(before, after) {
		t.Errorf("files were written: %v, then %v", before, after)
	}
}

func files(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			found[path] = info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func equalFiles(a, b map[string]int64) bool {
	if len(a) != len(b) {
		return false
	}
	for name, size := range a {
		if b[name] != size {
			return false
		}
	}
	return true
}

// TestCreatorsRace: of two clusters that create a repository in the same place at
// once, one owns it and the other is told so; two executors of one cluster share it.
func TestCreatorsRace(t *testing.T) {
	for round := range 5 {
		config := inDir(t)
		owners := []repository.Owner{owner, other, owner, other}
		errs := make([]error, len(owners))
		opened := make([]*repository.Repository, len(owners))
		var group sync.WaitGroup
		for i := range owners {
			group.Go(func() { opened[i], errs[i] = repository.Open(t.Context(), config, owners[i]) })
		}
		group.Wait()
		winners := map[string]int{}
		for i, err := range errs {
			if err != nil {
				wantReason(t, err, repository.ForeignOwner)
				continue
			}
			winners[owners[i].ClusterUID]++
			if _, err := opened[i].Write(t.Context(), source(fmt.Sprintf("run-%d", i)), oneObject); err != nil {
				t.Errorf("round %d: the owner cannot write: %v", round, err)
			}
			_ = opened[i].Close(t.Context())
		}
		if len(winners) != 1 {
			t.Fatalf("round %d: owners are %v", round, winners)
		}
		for uid, count := range winners {
			if count != 2 {
				t.Errorf("round %d: %d of 2 executors of the cluster %s could open it", round, count, uid)
			}
		}
	}
}

// TestReplaced: a repository that was removed and made anew while it was open is not
// written to with the keys of the one before.
func TestReplaced(t *testing.T) {
	config := inDir(t)
	r := open(t, config)
	save(t, r, "run-1", 10, nil)
	if err := os.RemoveAll(directory(config)); err != nil {
		t.Fatal(err)
	}
	_, err := r.Write(t.Context(), source("run-2"), oneObject)
	wantReason(t, err, repository.BucketMissing)
	open(t, config)
	_, err = r.Write(t.Context(), source("run-3"), oneObject)
	wantReason(t, err, repository.ForeignOwner)

	config.MustExist = true
	config.Storage = &repository.Filesystem{Path: t.TempDir()}
	_, err = repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.NotFound)
	if left := files(t, directory(config)); len(left) != 0 {
		t.Errorf("files were written: %v", left)
	}
}

func TestDamage(t *testing.T) {
	config := inDir(t)
	saved := save(t, open(t, config), "run-1", 1000, nil)
	largest, size := "", int64(0)
	for name, bytes := range files(t, directory(config)) {
		if bytes > size {
			largest, size = name, bytes
		}
	}
	data, err := os.ReadFile(largest)
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, config)
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 1
	for what, write := range map[string]func() error{
		"a bit":   func() error { return os.WriteFile(largest, flipped, 0o600) },
		"cut off": func() error { return os.WriteFile(largest, data[:len(data)/2], 0o600) },
		"missing": func() error { return os.Remove(largest) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		err := again.Verify(t.Context(), saved.ID, true)
		if repository.ReasonOf(err) != repository.Corrupt || err == nil {
			t.Errorf("%s: got %v", what, err)
		}
		if what != "a bit" {
			if err := again.Verify(t.Context(), saved.ID, false); err == nil {
				t.Errorf("%s: not noticed without reading", what)
			}
		}
	}
	if err := os.WriteFile(largest, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := again.Verify(t.Context(), saved.ID, true); err != nil {
		t.Error(err)
	}
}

// TestNoPlainText: neither a Secret's data nor a name is readable in the storage or
// in temporary files.
func TestNoPlainText(t *testing.T) {
	config := inDir(t)
	r := open(t, config)
	const secret, name = "c3VwZXItc2VjcmV0LXBhc3N3b3Jk", "database-credentials"
	_, err := r.Write(t.Context(), source("run-1"), func(ctx context.Context, w *repository.Writer) error {
		file := w.Resource(ctx, repository.Resource{Version: "v1", Resource: "secrets", Kind: "Secret", Namespaced: true})
		if err := file.Add("team-a/"+name, fmt.Appendf(nil, `{"metadata":{"name":%q},"data":{"password":%q}}`, name, secret)); err != nil {
			return err
		}
		return file.Close("")
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{directory(config), config.CacheDir} {
		for file := range files(t, dir) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, plain := range []string{secret, name, "super-secret-password", "correct horse"} {
				if bytes.Contains(data, []byte(plain)) {
					t.Errorf("%s holds %q", file, plain)
				}
			}
		}
	}
}

// child runs this test binary again, as TestChild with the mode.
func child(t *testing.T, mode, dir string) *exec.Cmd {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run", "^TestChild$", "-test.v")
	command.Env = append(os.Environ(), "FEDCTL_TEST_CHILD="+mode, "FEDCTL_TEST_DIR="+dir)
	return command
}

// TestChild is the part of other tests that runs in a process of its own.
func TestChild(t *testing.T) {
	mode := os.Getenv("FEDCTL_TEST_CHILD")
	if mode == "" {
		t.Skip("run by other tests")
	}
	config := repository.Config{Storage: &repository.Filesystem{Path: os.Getenv("FEDCTL_TEST_DIR")}, Password: "correct horse", CacheDir: os.Getenv("FEDCTL_TEST_CACHE")}
	if config.CacheDir == "" {
		config.CacheDir = t.TempDir()
	}
	if mode == "full" {
		// Files cannot grow beyond this: packs do not fit any more.
		limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	r := open(t, config)
	_, err := r.Write(t.Context(), source("run-child"), func(ctx context.Context, w *repository.Writer) error {
		file := w.Resource(ctx, configMaps)
		for i := 0; mode == "endless" || i < 30000; i++ {
			name := fmt.Sprintf("object-%07d", i)
			if err := file.Add("team-a/"+name, object(name, 2000, uint64(i)<<20)); err != nil {
				return err
			}
			if i == 25000 {
				fmt.Println("uploading")
			}
		}
		return file.Close("")
	})
	wantReason(t, err, repository.DiskFull)
}

// TestKilledWriter: kill -9 in the middle of an upload leaves a repository that opens
// and verifies, without the snapshot that was being written.
func TestKilledWriter(t *testing.T) {
	config := inDir(t)
	saved := save(t, open(t, config), "run-1", 100, nil)
	before := len(files(t, directory(config)))
	command := child(t, "endless", directory(config))
	killed := t.TempDir()
	command.Env = append(command.Env, "FEDCTL_TEST_CACHE="+killed)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "uploading" {
		continue
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if after := len(files(t, directory(config))); after <= before {
		t.Errorf("nothing had been uploaded: %d files, then %d", before, after)
	}
	if left := caches(t, killed); len(left) != 1 {
		t.Errorf("the process that was killed has left %v", left)
	}
	config.CacheDir = killed
	afterKill(t, config, saved)
	open(t, config)
	if left := caches(t, killed); len(left) != 2 {
		t.Errorf("there is %v, want what is in use: two repositories", left)
	}
}

// caches lists the directories of temporary files.
func caches(t *testing.T, parent string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(parent, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// afterKill checks a repository after a run that did not end well.
func afterKill(t *testing.T, config repository.Config, saved *repository.Snapshot) {
	t.Helper()
	r := open(t, config)
	listed, err := r.Snapshots(t.Context(), repository.Filter{})
	if err != nil || len(listed) != 1 || listed[0].ID != saved.ID {
		t.Errorf("got %v %v, want the good one only", listed, err)
	}
	if err := r.Verify(t.Context(), saved.ID, true); err != nil {
		t.Error(err)
	}
	next := save(t, r, "run-after", 100, nil)
	if err := r.Verify(t.Context(), next.ID, true); err != nil {
		t.Error(err)
	}
	if err := r.Maintain(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestFullDisk: packs of 20 MB do not fit into a child that may write 1 MB into a file.
func TestFullDisk(t *testing.T) {
	config := inDir(t)
	saved := save(t, open(t, config), "run-1", 100, nil)
	if out, err := child(t, "full", directory(config)).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	afterKill(t, config, saved)
}

// TestKilledCreator: a mark without a repository is what a kill between the two leaves.
func TestKilledCreator(t *testing.T) {
	config := inDir(t)
	_ = open(t, config).Close(t.Context())
	if err := os.Remove(filepath.Join(directory(config), "kopia.repository.f")); err != nil {
		t.Fatal(err)
	}
	_, err := repository.Open(t.Context(), config, other)
	wantReason(t, err, repository.ForeignOwner)
	save(t, open(t, config), "run-1", 10, nil)
}

// TestNoAnswer: a server that takes connections and never says anything.
func TestNoAnswer(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	config := repository.Config{Password: "correct horse", Timeout: time.Second, CacheDir: t.TempDir(), Network: loopback, Storage: &repository.S3{
		Endpoint: "http://" + listener.Addr().String(), Bucket: "backups", Region: "us-east-1", AccessKeyID: "key", SecretAccessKey: "very secret"}}
	// What only ends with this is Cancelled.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	_, err = repository.Open(ctx, config, owner)
	wantReason(t, err, repository.Unreachable)
	if strings.Contains(err.Error(), "very secret") {
		t.Errorf("the error names the secret key: %v", err)
	}
}

func TestValidate(t *testing.T) {
	here := &repository.Filesystem{Path: "/tmp/x"}
	for name, config := range map[string]repository.Config{
		"nothing":            {Password: "p"},
		"no password":        {Storage: here},
		"relative":           {Password: "p", Storage: &repository.Filesystem{Path: "x"}},
		"no bucket":          {Password: "p", Storage: &repository.S3{}},
		"no bucket of GCS":   {Password: "p", Storage: &repository.GCS{}},
		"endpoint":           {Password: "p", Storage: &repository.S3{Bucket: "b", Endpoint: "s3.example.com"}},
		"path in endpoint":   {Password: "p", Storage: &repository.S3{Bucket: "b", Endpoint: "https://s3.example.com/x"}},
		"secret in endpoint": {Password: "p", Storage: &repository.S3{Bucket: "b", Endpoint: "https://user:hidden@s3.example.com"}},
	} {
		_, err := repository.Open(t.Context(), config, owner)
		if repository.ReasonOf(err) != repository.InvalidConfiguration || err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	shown := fmt.Sprintf("%v %+v %#v %v %v", repository.Config{Storage: &repository.S3{Bucket: "b", SecretAccessKey: "hidden"}, Password: "hidden"},
		repository.Config{Storage: here, Password: "hidden"}, repository.S3{Bucket: "b", SecretAccessKey: "hidden"},
		repository.GCS{Bucket: "b", ServiceAccountKey: []byte("hidden")}, &repository.GCS{ServiceAccountKey: []byte("hidden")})
	if strings.Contains(shown, "hidden") {
		t.Errorf("printing shows credentials: %s", shown)
	}
}

// TestDirectoryThatVanishes: kopia reads its indexes again until its context ends,
// which would be never. What is done ends with the reason, whatever it is.
func TestDirectoryThatVanishes(t *testing.T) {
	for name, do := range map[string]func(ctx context.Context, r *repository.Repository, id string) error{
		"list": func(ctx context.Context, r *repository.Repository, _ string) error {
			_, err := r.Snapshots(ctx, repository.Filter{})
			return err
		},
		"write": func(ctx context.Context, r *repository.Repository, _ string) error {
			_, err := r.Write(ctx, source("run-2"), oneObject)
			return err
		},
		"read a snapshot that is not known yet": func(ctx context.Context, r *repository.Repository, _ string) error {
			_, err := r.Read(ctx, "0123456789abcdef0123456789abcdef")
			return err
		},
		"verify":      func(ctx context.Context, r *repository.Repository, id string) error { return r.Verify(ctx, id, false) },
		"verify full": func(ctx context.Context, r *repository.Repository, id string) error { return r.Verify(ctx, id, true) },
		"forget":      func(ctx context.Context, r *repository.Repository, id string) error { return r.Forget(ctx, id) },
		"maintain":    func(ctx context.Context, r *repository.Repository, _ string) error { return r.Maintain(ctx) },
		"measure": func(ctx context.Context, r *repository.Repository, _ string) error {
			_, err := r.Usage(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := inDir(t)
			r := open(t, config)
			saved := save(t, r, "run-1", 10, nil)
			if err := os.RemoveAll(directory(config)); err != nil {
				t.Fatal(err)
			}
			// An operation that only ends with this is Cancelled.
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			wantReason(t, do(ctx, r, saved.ID), repository.BucketMissing)
		})
	}
}
