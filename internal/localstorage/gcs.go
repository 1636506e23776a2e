package localstorage

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// GCSEmulatorEnv is what Google's client library looks for: it sends its requests
// there, without credentials.
const GCSEmulatorEnv = "STORAGE_EMULATOR_HOST"

// GCS is a running server of Google Cloud Storage's API.
type GCS struct {
	*Process
	// Endpoint is http://host:port.
	Endpoint string
	dir      string
}

// StartGCS starts a server on a free port, which keeps each bucket as a directory in
// dir.
func StartGCS(ctx context.Context, dir string) (*GCS, error) {
	process, err := newProcess("fake-gcs-server", "FEDCTL_FAKE_GCS_SERVER")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(process.address)
	if err != nil {
		return nil, err
	}
	s := &GCS{Process: process, Endpoint: "http://" + process.address, dir: dir}
	process.args = []string{"-scheme", "http", "-host", host, "-port", port, "-public-host", process.address, "-external-url", s.Endpoint,
		"-backend", "filesystem", "-filesystem-root", dir, "-log-level", "error"}
	return s, process.Restart(ctx)
}

// CreateBucket makes a bucket.
func (s *GCS) CreateBucket(ctx context.Context, name string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint+"/storage/v1/b?project=local", strings.NewReader(fmt.Sprintf(`{"name":%q}`, name)))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("cannot make the bucket %s: %s", name, response.Status)
	}
	return nil
}

// RemoveBucket removes a bucket and everything in it, behind the server's back.
func (s *GCS) RemoveBucket(name string) error {
	return os.RemoveAll(filepath.Join(s.dir, name))
}
