package exported_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/internal/exported"
)

// entry is one of an archive.
type entry struct {
	tar.Header

	content io.Reader
}

func file(name, content string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(content))}, strings.NewReader(content)}
}

// archive writes one.
func archive(t *testing.T, path string, entries []entry) {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	writer := tar.NewWriter(zipped)
	for i := range entries {
		if err := writer.WriteHeader(&entries[i].Header); err != nil {
			t.Fatal(err)
		}
		if entries[i].content != nil {
			if _, err := io.Copy(writer, entries[i].content); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = writer.Close() // the content of some is only announced
	if err := errors.Join(zipped.Close(), os.WriteFile(path, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestAnArchiveUnpacksToFilesOfItsOwnFolderAlone(t *testing.T) {
	many := make([]entry, 0, 10_002)
	for i := range cap(many) {
		many = append(many, file(fmt.Sprintf("f-%d", i), ""))
	}
	for name, test := range map[string]struct {
		entries []entry
		want    string
	}{
		"a folder before the names":   {[]entry{{tar.Header{Name: "x/", Typeflag: tar.TypeDir, Mode: 0o700}, nil}, file("x/CONTENTS", "{}")}, ""},
		"names that lead elsewhere":   {[]entry{file("../../planted", "x"), file("/tmp/planted-too", "x")}, ""},
		"the folder above":            {[]entry{file("..", "x")}, "it holds"},
		"a symbolic link":             {[]entry{{tar.Header{Name: "CONTENTS", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, nil}}, `it holds "CONTENTS", which is not a file`},
		"a hard link":                 {[]entry{file("a", "x"), {tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"}, nil}}, `it holds "b", which is not a file`},
		"a device":                    {[]entry{{tar.Header{Name: "b", Typeflag: tar.TypeChar}, nil}}, "which is not a file"},
		"one name twice":              {[]entry{file("a", "x"), file("b/a", "y")}, `it holds "a" twice`},
		"more files than any has":     {many, "it holds more than 10000 files"},
		"a name that would be long":   {[]entry{file(strings.Repeat("a", 5000), "x")}, "name too long"},
		"more than manifests ever do": {[]entry{{tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 1<<30 + 1}, nil}}, "it unpacks to far more than manifests do"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			path := filepath.Join(t.TempDir(), "export.tgz")
			archive(t, path, test.entries)
			_, done, err := exported.Open(path)
			switch {
			case test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %q", err, test.want)
			case err == nil:
				if err := done(); err != nil {
					t.Error(err)
				}
			case len(err.Error()) > 1000:
				t.Errorf("it says %d bytes", len(err.Error()))
			}
			left, err := os.ReadDir(os.Getenv("TMPDIR"))
			if err != nil || len(left) > 0 {
				t.Errorf("%v is left, %v", left, err)
			}
		})
	}
}

// sized writes an export of one file of this content, which its CONTENTS speak of rightly.
func sized(t *testing.T, content string, objects int) string {
	t.Helper()
	dir := t.TempDir()
	sum := sha256.Sum256([]byte(content))
	contents := fmt.Sprintf(`{"kind": "FederationExport", "formatVersion": 1, "namespace": "plane", "objects": %d,
		"files": [{"name": "01-a.yaml", "objects": %[1]d, "bytes": %d, "sha256": %q}]}`, objects, len(content), hex.EncodeToString(sum[:]))
	for name, text := range map[string]string{"01-a.yaml": content, "CONTENTS": contents} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestObjectsThatNoHostHasAreRefused(t *testing.T) {
	const good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	for name, test := range map[string]struct {
		content string
		want    string
	}{
		"one as it should be":       {good, ""},
		"one that is far too large": {good + "data: {a: \"" + strings.Repeat("a", 17<<20) + "\"}\n", "an object has more than 16 MiB"},
		"more than one":             {good + "---\n" + good, "holds more than 1 objects"},
		"none":                      {"---\n", "object 1: "},
		"a name that is a path":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ../secrets/a}\n", "is not a name"},
		"a name that is a page":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + strings.Repeat("a", 5000) + "}\n", "is not a name"},
		"a name for a terminal":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"a\\e[2J\"}\n", "is not a name"},
		"a namespace that is none":  {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: a/b}\n", "is not a namespace"},
		"a kind that is none":       {"apiVersion: v1\nkind: \"Config Map\"\nmetadata: {name: a}\n", "is not a kind"},
		"a version that is none":    {"apiVersion: apps/v1/a\nkind: ConfigMap\nmetadata: {name: a}\n", "object 1"},
		"levels without end":        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "\n", "object 1: "},
		"words that name words":     {good + aliases(12), "object 1: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := sized(t, test.content, 1)
			c, err := exported.Read(dir)
			if err == nil {
				err = c.Verify(dir)
			}
			if err != nil {
				t.Fatal(err)
			}
			err = c.Files[0].Each(dir, func(*unstructured.Unstructured) error { return nil })
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %q", err, test.want)
			} else if err != nil && (len(err.Error()) > 2000 || strings.Contains(err.Error(), "\x1b")) {
				t.Errorf("it says %d bytes: %q", len(err.Error()), err)
			}
		})
	}
}

// aliases are lines each of which stands for ten times the one before.
func aliases(levels int) string {
	out := "a0: &a0 [b,b,b,b,b,b,b,b,b,b]\n"
	for i := 1; i < levels; i++ {
		one := fmt.Sprintf("*a%d", i-1)
		out += fmt.Sprintf("a%d: &a%d [%s%s]\n", i, i, strings.Repeat(one+",", 9), one)
	}
	return out
}

func TestContentsThatNoExportHasAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string
		want     string
	}{
		"a file twice":             {`03-two.yaml`, `01-one.yaml`, "names the file 01-one.yaml twice"},
		"fewer than none":          {`"objects": 3`, `"objects": -3`, "with -3 objects"},
		"more than there can be":   {`"objects": 6`, `"objects": 6000000000`, "speaks of 6000000000 objects"},
		"a member that is a shell": {`"members": null`, `"members": [{"name": "a; reboot"}]`, "is not the name of a member"},
		"a plane that is a flag":   {`"kube-federation-system"`, `"--all"`, "no namespace of a control plane"},
		"a file that is a page":    {`01-one.yaml`, strings.Repeat("a", 4000), "which is not in the folder"},
		"a file for a terminal":    {`01-one.yaml`, "01\\u001b[2J.yaml", "which is not in the folder"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := folder(t)
			if err := replace(dir, exported.ContentsFile, test.from, test.to); err != nil {
				t.Fatal(err)
			}
			_, err := exported.Read(dir)
			if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%.1000v, want %q", err, test.want)
			}
		})
	}
}

func TestWhatIsOnlyToldIsBounded(t *testing.T) {
	dir, _ := folder(t)
	long := strings.Repeat("a", 100_000)
	notes := `"notes": ["\u001b[2J", "` + long + `"` + strings.Repeat(`, "b"`, 2000) + `], "customTypes": ["` + long + `"], "fedctl": "` + long + `", "ignored":`
	if err := replace(dir, exported.ContentsFile, `"fedctl":`, notes); err != nil {
		t.Fatal(err)
	}
	c, err := exported.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Notes) != 1001 || c.Notes[0] != "[2J" || len(c.Notes[1]) > 1024 || c.Notes[1000] != "and 1002 more" {
		t.Errorf("%d notes, of %d bytes", len(c.Notes), len(c.Notes[1]))
	}
	if len(c.Targets[0]) > 253 || len(c.Fedctl) > 253 {
		t.Errorf("a type of %d bytes, a version of %d", len(c.Targets[0]), len(c.Fedctl))
	}
	later, _ := folder(t)
	if err := replace(later, exported.ContentsFile, `"formatVersion": 1`, `"formatVersion": 2, "fedctl": "`+long+`", "ignored": 1`); err != nil {
		t.Fatal(err)
	}
	if _, err := exported.Read(later); err == nil || len(err.Error()) > 1000 {
		t.Error("a later format says too much, or is read")
	}
}

// A folder that somebody hands on is read as files of its own: not what a link leads to, nor
// what never ends, or begins.
func TestOnlyFilesOfTheFolderAreRead(t *testing.T) {
	for name, replacement := range map[string]func(path string) error{
		"a link": func(path string) error {
			return errors.Join(os.Rename(path, path+".other"), os.Symlink(path+".other", path))
		},
		"a pipe":   func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	} {
		for _, of := range []string{exported.ContentsFile, "03-two.yaml"} {
			dir, c := folder(t)
			if err := replacement(filepath.Join(dir, of)); err != nil {
				t.Fatal(err)
			}
			read, err := exported.Read(dir)
			if of != exported.ContentsFile {
				err = read.Verify(dir)
				if eachErr := c.Files[1].Each(dir, func(*unstructured.Unstructured) error { return nil }); eachErr == nil {
					t.Errorf("%s: its objects were read", name)
				}
			}
			if err == nil || !strings.Contains(err.Error(), of+" is not a file") {
				t.Errorf("%s in place of %s: %v", name, of, err)
			}
		}
	}
	dir, _ := folder(t)
	if err := os.WriteFile(filepath.Join(dir, exported.ContentsFile), bytes.Repeat([]byte(" "), 17<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exported.Read(dir); err == nil || !strings.Contains(err.Error(), "is larger than what fedctl export writes") {
		t.Errorf("%v", err)
	}
}

// Whoever can write where the export is to be gets neither at it, nor has it write elsewhere.
func TestAnArchiveIsMadeInAFolderOfItsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "export.tgz")
	victim := filepath.Join(t.TempDir(), "victim")
	f, err := exported.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(victim, []byte("mine"), 0o600), os.Symlink(victim, path+".partial.tgz")); err != nil {
		t.Fatal(err)
	}
	c := exported.New("v1", time.Now())
	c.Namespace = "plane"
	if err := os.WriteFile(path, []byte("another's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Finish(c); err == nil || !strings.Contains(err.Error(), "has come to be there meanwhile") {
		t.Errorf("%v", err)
	}
	for file, want := range map[string]string{victim: "mine", path: "another's"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s has become %q, %v", file, got, err)
		}
	}
	if err := f.Abandon(); err != nil {
		t.Error(err)
	}
}
