package errtext

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writers are the packages that write what members or storage have said into objects,
// by the functions beside them that every message goes through.
var writers = map[string]string{
	"../backup/executor": "said",
	"../federate":        "Bounded",
	"../membership":      "Bounded",
	"../eventnote":       "Bounded",
	"../backup/restore":  "Bounded",
}

// TestNobodyElseCleans keeps to one way in which others' text is made ours.
func TestNobodyElseCleans(t *testing.T) {
	looked := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../errtext/") {
			return err
		}
		looked++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, other := range []string{"strings.ToValidUTF8(", "unicode.IsControl(", "unicode.Cf"} {
			if strings.Contains(string(text), other) {
				t.Errorf("%s: %s…: clean others' text by errtext.Bounded", path, other)
			}
		}
		return nil
	})
	if err != nil || looked == 0 {
		t.Fatalf("looked at %d files: %v", looked, err)
	}
}

// TestMessagesAreBounded looks in the packages that write statuses for an error whose
// text becomes a message as it is.
func TestMessagesAreBounded(t *testing.T) {
	for folder, cleans := range writers {
		found := false
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
				continue
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, filepath.Join(folder, entry.Name()), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(node ast.Node) bool {
				if call, ok := node.(*ast.CallExpr); ok && nameOf(call.Fun) == cleans {
					found = true
				}
				for _, value := range messages(node) {
					if saysError(value, cleans) {
						t.Errorf("%s: an error's text becomes a message as it is: bound it", files.Position(value.Pos()))
					}
				}
				return true
			})
		}
		if !found {
			t.Errorf("%s calls no %s", folder, cleans)
		}
	}
}

// messages are the values that a node gives to a status's Message.
func messages(node ast.Node) (values []ast.Expr) {
	assign, ok := node.(*ast.AssignStmt)
	if !ok || len(assign.Lhs) != len(assign.Rhs) {
		return nil
	}
	for i, to := range assign.Lhs {
		field, ok := to.(*ast.SelectorExpr)
		if of, isField := to.(*ast.SelectorExpr); ok && isField && field.Sel.Name == "Message" && strings.HasSuffix(strings.ToLower(nameOf(of.X)), "status") {
			values = append(values, assign.Rhs[i])
		}
	}
	return values
}

// saysError says whether a value has an error's text in it that is not cleaned.
func saysError(value ast.Expr, cleans string) (says bool) {
	ast.Inspect(value, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		if nameOf(call.Fun) == cleans {
			return false
		}
		says = says || nameOf(call.Fun) == "Error" && len(call.Args) == 0
		return true
	})
	return says
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
