package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The reference has a row for each metric, and none for what is no metric any more.
func TestMetricsAreInTheReference(t *testing.T) {
	made := map[string]bool{}
	name := regexp.MustCompile(`(?:Name: *|NewDesc\()"(fedctl_[a-z_]+)"`)
	for _, dir := range []string{"cmd", "internal", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, found := range name.FindAllSubmatch(source, -1) {
				made[string(found[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(made) < 10 {
		t.Fatalf("found %d metrics only", len(made))
	}
	reference := read(t, "docs/reference.md")
	for metric := range made {
		if !strings.Contains(reference, "\n| `"+metric+"` |") {
			t.Errorf("%s has no row in the reference", metric)
		}
	}
	for _, row := range regexp.MustCompile("\n\\| `(fedctl_[a-z_]+)` \\|").FindAllStringSubmatch(reference, -1) {
		if !made[row[1]] {
			t.Errorf("the reference tells of %s, which there is not", row[1])
		}
	}
}
