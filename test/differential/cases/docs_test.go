package cases

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table into docs/kubefed.md")

const (
	page  = "../../../docs/kubefed.md"
	begin = "<!-- differential: begin, written by make differential-table -->\n"
	end   = "<!-- differential: end -->"
)

func TestDocsHoldTheTable(t *testing.T) {
	suite, err := Read(os.DirFS(suiteDir))
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.FromSlash(page))
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(content), begin)
	table, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no %s … %s", page, strings.TrimSpace(begin), end)
	}
	want := "\n" + Table(suite) + "\n"
	switch {
	case table == want:
	case *update:
		if err := os.WriteFile(filepath.FromSlash(page), []byte(head+begin+want+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of %s is not that of the cases: run make differential-table", page)
	}
}
