package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each sentence in a list of docs/security.md names the specs that hold it, which are in
// the files that it says.
func TestSentencesOnSecurityAreHeld(t *testing.T) {
	comment := regexp.MustCompile(`<!-- ([\w/.-]+_test\.go): (.+?) -->`)
	sentences := 0
	for line := range strings.Lines(read(t, "docs/security.md")) {
		sentence, listed := strings.CutPrefix(line, "- ")
		if !listed {
			continue
		}
		sentences++
		specs := comment.FindAllStringSubmatch(sentence, -1)
		if len(specs) == 0 {
			t.Errorf("no spec holds %q", sentence)
		}
		for _, spec := range specs {
			content, err := os.ReadFile(filepath.Join(root, spec[1]))
			if err != nil {
				t.Errorf("%q: %v", sentence, err)
				continue
			}
			if !strings.Contains(string(content), `("`+spec[2]+`"`) && !strings.Contains(string(content), "func "+spec[2]+"(") {
				t.Errorf("%q: %s has no spec %q", sentence, spec[1], spec[2])
			}
		}
	}
	if sentences < 15 {
		t.Errorf("only %d sentences found", sentences)
	}
}
