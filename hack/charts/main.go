// Command charts writes what is generated of the Helm charts in charts/: templates,
// values, their schema, and the table in the README. It is a program of its own beside
// hack/generate because the manifests are compiled into it: those that hack/generate has
// just written. Run it from the root of the repository.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fedctl/fedctl/internal/manifests/chart"
)

const (
	root = "charts"
	// The table of values in the README stands between these.
	tableBegin = "<!-- values: written by make generate -->\n"
	tableEnd   = "<!-- end of values -->\n"
)

func main() {
	if err := generate(); err != nil {
		fmt.Fprintln(os.Stderr, "charts:", err)
		os.Exit(1)
	}
}

func generate() error {
	generated, err := chart.Generate()
	if err != nil {
		return err
	}
	if err := removeStale(generated.Files); err != nil {
		return err
	}
	for name, content := range generated.Files {
		if err := write(filepath.Join(root, filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	return writeTable(filepath.Join(root, chart.Name, "README.md"), generated.Table)
}

// removeStale removes what was generated once and is not any more.
func removeStale(files map[string]string) error {
	return filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		if _, stays := files[filepath.ToSlash(name)]; stays {
			return nil
		}
		content, err := os.ReadFile(file) // #nosec G122 -- the project's own folder
		if err != nil || !strings.HasPrefix(string(content), chart.Mark) {
			return err
		}
		return os.Remove(file) // #nosec G122 -- as above
	})
}

func writeTable(file, table string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(content), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		return fmt.Errorf("%s has no place for the table of values: %q and %q", file, tableBegin, tableEnd)
	}
	return write(file, before+tableBegin+table+tableEnd+after)
}

func write(file, content string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // part of the repository, for all to read
		return err
	}
	return os.WriteFile(file, []byte(content), 0o644) //nolint:gosec // part of the repository, for all to read
}
