package release

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// The charts are in the registry under the digests that are signed, with their version.
func TestChartsArePushed(t *testing.T) {
	built(t) // with what takes long
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	address, folder := strings.TrimPrefix(server.URL, "http://"), t.TempDir()
	command := exec.Command("./charts.sh", "v1.2.3", "oci://"+address+"/charts")
	command.Env = append(os.Environ(), "CHARTS="+folder, "HELM_PUSH_FLAGS=--plain-http")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pushed := strings.Fields(string(read(t, filepath.Join(folder, "pushed"))))
	if len(pushed) != 2 {
		t.Fatalf("pushed %v", pushed)
	}
	for i, chart := range []string{"fedctl-crds", "fedctl"} {
		digest, err := name.NewDigest(pushed[i])
		if err != nil {
			t.Fatal(err)
		}
		if want := address + "/charts/" + chart; digest.Context().Name() != want {
			t.Errorf("pushed %s, want %s", digest, want)
		}
		if _, err := remote.Head(digest); err != nil {
			t.Error(err)
		}
		tagged, err := remote.Get(digest.Context().Tag("1.2.3"))
		if err != nil {
			t.Fatal(err)
		}
		if got := tagged.Digest.String(); got != digest.DigestStr() {
			t.Errorf("the version is %s, and %s was pushed", got, digest.DigestStr())
		}
		image, err := tagged.Image()
		if err != nil {
			t.Fatal(err)
		}
		if config, err := image.RawConfigFile(); err != nil || !strings.Contains(string(config), `"appVersion":"v1.2.3"`) {
			t.Errorf("%s: %s (%v)", chart, config, err)
		}
	}
}
