package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// TestTablesAreWhole: rows of which an empty line cuts off the head are shown as text.
func TestTablesAreWhole(t *testing.T) {
	head := regexp.MustCompile(`^\|( *:?-+:? *\|)+$`)
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "docs/runbooks/*.md", "examples/*/README.md"} {
		lines := strings.Split(read(t, page), "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "|") && (i == 0 || !strings.HasPrefix(lines[i-1], "|")) &&
				(i+1 == len(lines) || !head.MatchString(lines[i+1])) {
				t.Errorf("%s: a table begins without a head at\n%s", page, line)
			}
		}
	}
}
