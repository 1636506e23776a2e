package repository_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fedctl/fedctl/internal/localstorage"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// onS3 starts a server with a bucket; the test is skipped with -short, because the
// server has to be built.
func onS3(t *testing.T) (*localstorage.S3, repository.Config) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs an S3 server")
	}
	server, err := localstorage.StartS3(t.Context(), localstorage.S3Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, server.Process)
	if err := server.CreateBucket(t.Context(), "backups"); err != nil {
		t.Fatal(err)
	}
	return server, repository.Config{
		Storage: &repository.S3{Endpoint: server.Endpoint, Bucket: "backups", Region: localstorage.Region, Prefix: "clusters/a",
			AccessKeyID: localstorage.AccessKeyID, SecretAccessKey: localstorage.SecretAccessKey},
		Password: "correct horse", CacheDir: t.TempDir(), Network: loopback,
	}
}

func TestS3(t *testing.T) {
	server, config := onS3(t)
	wrong := *config.Storage.(*repository.S3)
	wrong.SecretAccessKey = "another-secret-key"
	r := open(t, config)
	_, err := repository.Open(t.Context(), repository.Config{Storage: &wrong, Network: loopback, Password: "correct horse"}, owner)
	wantReason(t, err, repository.AccessDenied)
	if strings.Contains(err.Error(), "another-secret-key") {
		t.Errorf("the error names the secret key: %v", err)
	}
	bucketIsUsed(t, r, config)
	if err := server.RemoveBucket("backups"); err != nil {
		t.Fatal(err)
	}
	bucketIsGone(t, r, config)
}

func TestS3ThatHangs(t *testing.T) {
	server, config := onS3(t)
	config.Timeout = 5 * time.Second
	r := open(t, config)
	saved := save(t, r, "run-1", 50, nil)
	if err := server.Hang(); err != nil {
		t.Fatal(err)
	}
	// What only ends with this is Cancelled.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	_, err := repository.Open(ctx, config, owner)
	wantReason(t, err, repository.Unreachable)
	_, err = r.Write(ctx, source("run-2"), oneObject)
	wantReason(t, err, repository.Unreachable)
	if err := server.Continue(); err != nil {
		t.Fatal(err)
	}
	again := open(t, config)
	if err := again.Verify(t.Context(), saved.ID, true); err != nil {
		t.Error(err)
	}
	save(t, again, "run-3", 60, nil)
}

// TestS3ClockSkew: requests that are an hour old are refused, and the clocks are named.
func TestS3ClockSkew(t *testing.T) {
	server, config := onS3(t)
	behind := false
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	// Who signs with a clock that is an hour behind, as the server sees it.
	late := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
		if at, err := time.Parse(signatureTime, r.In.Header.Get("X-Amz-Date")); err == nil && behind {
			r.Out.Header.Set("X-Amz-Date", at.Add(-time.Hour).Format(signatureTime))
		}
	}, ModifyResponse: func(response *http.Response) error {
		if at, err := http.ParseTime(response.Header.Get("Date")); err == nil && behind {
			response.Header.Set("Date", at.Add(time.Hour).Format(http.TimeFormat))
		}
		return nil
	}})
	defer late.Close()
	storage := *config.Storage.(*repository.S3)
	storage.Endpoint = late.URL
	config.Storage = &storage
	r := open(t, config)
	saved := save(t, r, "run-1", 10, nil)

	behind = true
	_, err = r.Write(t.Context(), source("run-2"), oneObject)
	wantReason(t, err, repository.AccessDenied)
	_, err = repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.AccessDenied)
	if err == nil || !strings.Contains(err.Error(), "differ by 1h") {
		t.Errorf("the clocks are not named: %v", err)
	}

	behind = false
	again := open(t, config)
	if err := again.Verify(t.Context(), saved.ID, true); err != nil {
		t.Error(err)
	}
	save(t, again, "run-3", 20, nil)
}

const signatureTime = "20060102T150405Z"

func TestS3ThatIsDown(t *testing.T) {
	server, config := onS3(t)
	serverIsDown(t, server.Process, config)
}

// TestKopiaReadsIt lets kopia's own command line list, verify and restore what we wrote.
func TestKopiaReadsIt(t *testing.T) {
	if testing.Short() {
		t.Skip("needs kopia's command line")
	}
	binary, err := localstorage.Binary("kopia", "FEDCTL_KOPIA")
	if err != nil {
		t.Fatal(err)
	}
	config := inDir(t)
	r := open(t, config)
	saved := save(t, r, "run-1", 1000, nil)
	home := t.TempDir()
	kopia := func(args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), binary, append(args, "--config-file", filepath.Join(home, "kopia.config"), "--log-dir", home)...)
		command.Env = append(os.Environ(), "KOPIA_PASSWORD=correct horse", "HOME="+home, "KOPIA_CHECK_FOR_UPDATES=false", "XDG_CACHE_HOME="+home)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("kopia %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	kopia("repository", "connect", "filesystem", "--path", directory(config), "--readonly")
	if list := kopia("snapshot", "list", "--all"); !strings.Contains(list, "fedctl@"+owner.ClusterUID+":/team-a/nightly") {
		t.Errorf("kopia does not list it:\n%s", list)
	}
	kopia("snapshot", "verify", "--verify-files-percent=100", saved.ID)
	target := filepath.Join(home, "restored")
	kopia("snapshot", "restore", saved.ID, target)
	data, err := os.ReadFile(filepath.Join(target, "objects", "configmaps.json"))
	if err != nil || strings.Count(string(data), "\n") != 1000 || !strings.HasPrefix(string(data), string(object("object-00000", 2000, 0))) {
		t.Errorf("kopia restored %d bytes, %v", len(data), err)
	}
}
