package main

import (
	"archive/tar"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

var amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}

// built is a folder with programs that were "built" at a time.
func built(t *testing.T, at time.Time) string {
	t.Helper()
	folder := t.TempDir()
	for _, program := range programs {
		path := filepath.Join(folder, program)
		if err := os.WriteFile(path, []byte("#!"+program), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func testOptions(t *testing.T) *options {
	t.Helper()
	o, err := parse([]string{"--version", "v1.2.3", "--revision", "abc", "--created", "1700000000", "--reference", "example.com/fedctl/controller:v1.2.3", "--dist", t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func testImage(t *testing.T, folder string, platform v1.Platform) v1.Image {
	t.Helper()
	img, err := newImage(folder, platform, testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// Whoever builds the same sources gets the same digest, whenever, and in whatever folder.
func TestTwoBuildsGiveOneDigest(t *testing.T) {
	var digests []v1.Hash
	for _, at := range []time.Time{time.Unix(1, 0), time.Now()} {
		digest, err := newIndex([]platformImage{{amd64, testImage(t, built(t, at), amd64)}}).Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("two builds of the same programs are %v", digests)
	}
}

func TestWhatIsInTheImage(t *testing.T) {
	img := testImage(t, built(t, time.Now()), amd64)
	content := mutate.Extract(img)
	defer content.Close()
	modes := map[string]int64{}
	var roots []byte
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[strings.TrimSuffix(header.Name, "/")] = header.Mode
		if header.Uid != 0 || header.Gid != 0 || header.ModTime.Unix() != 1700000000 {
			t.Errorf("%s is of %d:%d and of %s", header.Name, header.Uid, header.Gid, header.ModTime)
		}
		if header.Name == certificatesFile {
			roots, err = io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	want := map[string]int64{"etc": 0o755, "etc/ssl": 0o755, "etc/ssl/certs": 0o755, certificatesFile: 0o644, "controller": 0o755, "fedctl": 0o755}
	for path, mode := range want {
		if modes[path] != mode {
			t.Errorf("%s has mode %o, want %o", path, modes[path], mode)
		}
	}
	if len(modes) != len(want) {
		t.Errorf("the image has %v", modes)
	}
	checkRoots(t, roots)
}

func checkRoots(t *testing.T, roots []byte) {
	t.Helper()
	count := 0
	for block, rest := pem.Decode(roots); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Error(err)
		}
		count++
	}
	if count < 50 {
		t.Errorf("%d certificates of authorities", count)
	}
}

func TestHowItRuns(t *testing.T) {
	arm := v1.Platform{OS: "linux", Architecture: "arm64"}
	config, err := testImage(t, built(t, time.Now()), arm).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Architecture != "arm64" || config.OS != "linux" || config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/controller"}) {
		t.Errorf("configuration is %+v", config)
	}
	for label, want := range map[string]string{"version": "v1.2.3", "revision": "abc", "licenses": "Apache-2.0"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	if len(config.RootFS.DiffIDs) != 2 || len(config.History) != 2 {
		t.Errorf("%d layers and %d entries of history", len(config.RootFS.DiffIDs), len(config.History))
	}
}

// What is pushed is what was written, for each platform.
func TestPush(t *testing.T) {
	server := httptest.NewServer(registry.New())
	defer server.Close()
	o := testOptions(t)
	o.reference = strings.TrimPrefix(server.URL, "http://") + "/fedctl/controller:v1.2.3"
	var images []platformImage
	for _, platform := range o.platforms {
		images = append(images, platformImage{platform, testImage(t, built(t, time.Now()), platform)})
	}
	if err := push(t.Context(), o, newIndex(images)); err != nil {
		t.Fatal(err)
	}
	for _, image := range images {
		tag, err := name.NewTag(o.reference)
		if err != nil {
			t.Fatal(err)
		}
		pulled, err := remote.Image(tag, remote.WithPlatform(image.platform))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := digestOf(t, pulled), digestOf(t, image.image); got != want {
			t.Errorf("%s was pulled as %s, and is %s", image.platform.String(), got, want)
		}
	}
}

func digestOf(t *testing.T, img partial.WithRawManifest) v1.Hash {
	t.Helper()
	digest, err := partial.Digest(img)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestOptionsThatAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"--reference", "Not A Name"},
		{"--reference", "a/b:c", "--platforms", "windows/amd64"},
		{"--reference", "a/b:c", "--platforms", "linux"},
		{},
	} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
