package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func notes(t *testing.T, changelog, version string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "CHANGELOG.md")
	if err := os.WriteFile(path, []byte(changelog), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("./notes.sh", version)
	command.Env = append(os.Environ(), "CHANGELOG="+path)
	out, err := command.Output()
	return string(out), err
}

func TestNotes(t *testing.T) {
	const changelog = "# Changelog\n\nWords.\n\n## Unreleased\n\n## v1.2.30 (2026-11-30)\n\nThirty.\n\n## v1.2.3\n\nThree.\n\n### More\n\n- of it\n\n## v1.2.2\n\n\n"
	for version, want := range map[string]string{"v1.2.30": "Thirty.", "v1.2.3": "Three.\n\n### More\n\n- of it"} {
		if got, err := notes(t, changelog, version); err != nil || strings.TrimSpace(got) != want {
			t.Errorf("%s: %q (%v)", version, got, err)
		}
	}
	for _, version := range []string{"v1.2.2", "v1.2", "v9.9.9", "Unreleased"} {
		if got, err := notes(t, changelog, version); err == nil {
			t.Errorf("%s has notes: %q", version, got)
		}
	}
}
