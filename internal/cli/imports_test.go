package cli

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestNoCommandImportsACommand holds that a command is a leaf: what two of them need
// stands in a package that is none (cmdutil, fedtypes, internal/view,
// internal/manifests), where a web page or an API finds it as well.
func TestNoCommandImportsACommand(t *testing.T) {
	const module = "github.com/fedctl/fedctl/internal/cli/"
	imports, commands := map[string][]string{}, map[string]bool{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		folder := path.Dir(filepath.ToSlash(file))
		if parsed.Scope.Lookup("NewCommand") != nil { //nolint:staticcheck // deprecated for what needs types; a name does not
			commands[folder] = true
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if of, ours := strings.CutPrefix(name, module); ours {
				imports[folder] = append(imports[folder], of)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(commands, ".") // the list of all commands
	if len(commands) < 10 || commands["cmdutil"] {
		t.Errorf("%d commands were found: does the test still know them by NewCommand?", len(commands))
	}
	for folder, list := range imports {
		for _, of := range slices.Compact(slices.Sorted(slices.Values(list))) {
			if folder != "." && commands[of] {
				t.Errorf("internal/cli/%s imports the command internal/cli/%s: move what both need", folder, of)
			}
		}
	}
}
