package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// ofSpec names a spec that holds a sentence: its file, and its text or function.
	ofSpec = regexp.MustCompile(`<!-- ([\w/.-]+_test\.go): (.+?) -->`)
	// exempt says of a paragraph that it promises nothing.
	exempt = regexp.MustCompile(`<!-- (advice|limit) -->`)
	// ending is the end of a sentence that another one follows.
	ending = regexp.MustCompile(`[.:?] [A-Z]`)
)

// Each sentence of docs/security.md names the specs that hold it, which are in the files
// that it says; a paragraph that is in no list may be advice, or a limit, and says so.
func TestSentencesOnSecurityAreHeld(t *testing.T) {
	held := 0
	for _, line := range statements(read(t, "docs/security.md")) {
		specs := ofSpec.FindAllStringSubmatch(line, -1)
		text, listed := strings.CutPrefix(regexp.MustCompile(` *<!-- .*? -->`).ReplaceAllString(line, ""), "- ")
		isRow := strings.HasPrefix(line, "|")
		switch sentences := 1 + len(ending.FindAllString(text, -1)); {
		case exempt.MatchString(line) && (listed || isRow || len(specs) > 0):
			t.Errorf("%q promises something: name the spec that holds it", text)
		case exempt.MatchString(line):
			continue
		case len(specs) == 0:
			t.Errorf("no spec holds %q, and it does not say that it is advice or a limit", text)
		case listed && len(specs) < sentences:
			t.Errorf("%q has %d sentences and %d specs: make each a line of its own", text, sentences, len(specs))
		}
		for _, spec := range specs {
			held++
			checkSpec(t, text, spec[1], spec[2])
		}
	}
	if held < 50 {
		t.Errorf("only %d specs found", held)
	}
}

// statements are the lines of a page that say something: no headings, heads of tables, or code.
func statements(page string) (lines []string) {
	code := false
	all := strings.Split(page, "\n")
	for i, line := range all {
		if strings.HasPrefix(line, "```") {
			code = !code
			continue
		}
		headOfTable := strings.HasPrefix(line, "| ---") || i+1 < len(all) && strings.HasPrefix(all[i+1], "| ---")
		if !code && strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") && !headOfTable {
			lines = append(lines, line)
		}
	}
	return lines
}

func checkSpec(t *testing.T, sentence, file, name string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Errorf("%q: %v", sentence, err)
		return
	}
	if !strings.Contains(string(content), `("`+name+`"`) && !strings.Contains(string(content), "func "+name+"(") {
		t.Errorf("%q: %s has no spec %q", sentence, file, name)
	}
}

// What a workflow runs of others is what somebody has looked at, whatever a tag is moved to.
func TestActionsArePinned(t *testing.T) {
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses: *(\S+)`).FindAllStringSubmatch(read(t, ".github/workflows/*.yaml"), -1)
	if len(uses) == 0 {
		t.Fatal("no workflow uses an action")
	}
	pinned := regexp.MustCompile(`@[0-9a-f]{40}$`)
	for _, use := range uses {
		if !pinned.MatchString(use[1]) && !strings.HasPrefix(use[1], "./") {
			t.Errorf("%s is not pinned by the digest of a commit", use[1])
		}
	}
}
