package eventnote

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestRecordersComeFromHere looks through the programs for recorders that no Recorder
// wraps: their long notes would be lost.
func TestRecordersComeFromHere(t *testing.T) {
	root := filepath.Join("..", "..")
	files, calls := token.NewFileSet(), 0
	for _, folder := range []string{"cmd", "internal", "pkg"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(node ast.Node) bool {
				selector, ok := node.(*ast.SelectorExpr)
				if !ok || !strings.HasPrefix(selector.Sel.Name, "GetEventRecorder") {
					return true
				}
				if calls++; file.Name.Name != "eventnote" {
					t.Errorf("%s: %s gives a recorder whose long notes are dropped: use eventnote.NewRecorder", files.Position(selector.Pos()), selector.Sel.Name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if calls == 0 {
		t.Error("no call was found, not even that of this package: does the test look at the right files?")
	}
}
