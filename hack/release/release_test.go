package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folderEnv names what goreleaser has built; without it there is nothing to look at.
const folderEnv = "FEDCTL_RELEASE"

var platforms = []string{"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64", "windows_amd64", "windows_arm64"}

// built is the folder of a release, and its version without the v.
func built(t *testing.T) (folder, version string) {
	t.Helper()
	folder = os.Getenv(folderEnv)
	if folder == "" {
		t.Skip("make release-snapshot builds what this looks at")
	}
	var metadata struct{ Version string }
	if err := json.Unmarshal(read(t, filepath.Join(folder, "metadata.json")), &metadata); err != nil || metadata.Version == "" {
		t.Fatalf("metadata.json: %v", err)
	}
	return folder, metadata.Version
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// archive is the path of a platform's.
func archive(folder, version, platform string) string {
	extension := ".tar.gz"
	if strings.HasPrefix(platform, "windows") {
		extension = ".zip"
	}
	return filepath.Join(folder, "fedctl_"+version+"_"+platform+extension)
}

// modes are those of the files in an archive.
func modes(t *testing.T, path string) map[string]fs.FileMode {
	t.Helper()
	content, found := read(t, path), map[string]fs.FileMode{}
	if strings.HasSuffix(path, ".zip") {
		r, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.File {
			found[f.Name] = f.Mode().Perm()
		}
		return found
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[header.Name] = header.FileInfo().Mode().Perm()
	}
}

func TestArchives(t *testing.T) {
	folder, version := built(t)
	for _, platform := range platforms {
		want := map[string]fs.FileMode{"LICENSE": 0o644, "completions/kubectl_complete-fed": 0o755, "fedctl": 0o755}
		for _, extension := range []string{"bash", "zsh", "fish", "ps1"} {
			want["completions/fedctl."+extension] = 0o644
		}
		if strings.HasPrefix(platform, "windows") {
			delete(want, "fedctl")
			want["fedctl.exe"] = 0o755
		}
		found := modes(t, archive(folder, version, platform))
		for name, mode := range want {
			if found[name] != mode {
				t.Errorf("%s: %s has mode %o, want %o", platform, name, found[name], mode)
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s has %v", platform, found)
		}
	}
}

// Everything that is downloaded has a checksum, which is right.
func TestChecksums(t *testing.T) {
	folder, version := built(t)
	sums := map[string]string{}
	for line := range strings.Lines(string(read(t, filepath.Join(folder, "checksums.txt")))) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	for _, platform := range platforms {
		for _, path := range []string{archive(folder, version, platform), filepath.Join(folder, "fedctl_"+version+"_"+platform+".spdx.json")} {
			sum := sha256.Sum256(read(t, path))
			if got := sums[filepath.Base(path)]; got != hex.EncodeToString(sum[:]) {
				t.Errorf("the checksum of %s is %q", filepath.Base(path), got)
			}
			delete(sums, filepath.Base(path))
		}
	}
	if len(sums) > 0 {
		t.Errorf("what else has checksums: %v", sums)
	}
}

func TestSBOMs(t *testing.T) {
	folder, version := built(t)
	for _, platform := range platforms {
		var document struct {
			SPDXVersion string
			Packages    []struct{ Name, VersionInfo string }
		}
		if err := json.Unmarshal(read(t, filepath.Join(folder, "fedctl_"+version+"_"+platform+".spdx.json")), &document); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range document.Packages {
			names = append(names, p.Name)
			if strings.HasPrefix(p.Name, "fedctl") && p.VersionInfo != "v"+version {
				t.Errorf("%s: %s has version %s", platform, p.Name, p.VersionInfo)
			}
		}
		for _, module := range []string{"stdlib", "k8s.io/client-go", "github.com/spf13/cobra"} {
			if !slices.Contains(names, module) {
				t.Errorf("%s: %s is missing in %v", platform, module, names)
			}
		}
	}
}
