package errtext

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestElide(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"field is immutable":           "field is immutable",
		"spec: 0123456789 is too long": "spec: 0 … too long",
		strings.Repeat("é", 20):        strings.Repeat("é", 3) + " … " + strings.Repeat("é", 4),
	} {
		got := Elide(text, 20)
		if got != want || len(got) > 20 || !utf8.ValidString(got) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
