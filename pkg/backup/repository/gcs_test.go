package repository_test

import (
	"strings"
	"testing"

	"github.com/fedctl/fedctl/internal/localstorage"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// onGCS starts a server with a bucket.
func onGCS(t *testing.T) (*localstorage.GCS, repository.Config) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a server of Google Cloud Storage's API")
	}
	server, err := localstorage.StartGCS(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, server.Process)
	if err := server.CreateBucket(t.Context(), "backups"); err != nil {
		t.Fatal(err)
	}
	t.Setenv(localstorage.GCSEmulatorEnv, server.Endpoint)
	return server, repository.Config{Storage: &repository.GCS{Bucket: "backups", Prefix: "clusters/a"}, Password: "correct horse", CacheDir: t.TempDir(), Network: loopback}
}

func TestGCS(t *testing.T) {
	server, config := onGCS(t)
	r := open(t, config)
	bucketIsUsed(t, r, config)
	if err := server.RemoveBucket("backups"); err != nil {
		t.Fatal(err)
	}
	bucketIsGone(t, r, config)
}

func TestGCSThatIsDown(t *testing.T) {
	server, config := onGCS(t)
	serverIsDown(t, server.Process, config)
}

// TestGCSKey: what is not a service account's key is refused, and not shown.
func TestGCSKey(t *testing.T) {
	for _, key := range []string{"hidden", `{"type":"authorized_user","refresh_token":"hidden"}`, `{"type":"service_account","private_key":"hidden"}`} {
		config := repository.Config{Storage: &repository.GCS{Bucket: "backups", ServiceAccountKey: []byte(key)}, Password: "correct horse"}
		_, err := repository.Open(t.Context(), config, owner)
		wantReason(t, err, repository.AccessDenied)
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}
