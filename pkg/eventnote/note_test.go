package eventnote

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// fleet is what a hundred clusters have to say.
func fleet(why string) string {
	var parts []string
	for i := range 100 {
		parts = append(parts, fmt.Sprintf("cluster eu-central-%03d: %s", i, why))
	}
	return strings.Join(parts, "; ")
}

func TestNote(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                {"", ""},
		"a sentence":             {"the cluster is ready", "the cluster is ready"},
		"other letters":          {"größer: 多 集群", "größer: 多 集群"},
		"line breaks":            {"first\n\tsecond\r\nthird\n", "first second third"},
		"spaces of its own":      {"a  b", "a  b"},
		"spaces about a break":   {"a \n b", "a  b"},
		"colours of a terminal":  {"\x1b[31mred\x1b[0m\x07", "[31mred [0m"},
		"turned text":            {"abc\u202etxt.exe\u2028next", "abc txt.exe next"},
		"bytes that are no text": {"a\xffb\xc3", "a\ufffdb\ufffd"},
		"as long as it may be":   {strings.Repeat("x", Limit), strings.Repeat("x", Limit)},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Note(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestLongNotesKeepBothEnds(t *testing.T) {
	for name, text := range map[string]string{
		"one byte too many":      strings.Repeat("x", Limit+1),
		"a hundred clusters":     fleet("the object is refused: field is immutable"),
		"of two bytes a rune":    "ab" + strings.Repeat("ü", 2000),
		"of three bytes a rune":  "a" + strings.Repeat("集", 2000),
		"of four bytes a rune":   "abc" + strings.Repeat("🚢", 2000),
		"nothing but no text":    strings.Repeat("\xff-", 5000),
		"a mebibyte":             strings.Repeat("0123456789abcdef", 1<<16),
		"a page of line breaks":  strings.Repeat("line\n", 1000) + "field is immutable",
		"cut in the middle of 4": strings.Repeat("x", 595) + strings.Repeat("🚢", 2000) + "end",
	} {
		t.Run(name, func(t *testing.T) {
			got := Note(text)
			if len(got) > Limit || !utf8.ValidString(got) || strings.ContainsFunc(got, steers) {
				t.Fatalf("%d bytes, valid: %t: %q", len(got), utf8.ValidString(got), got)
			}
			if len(got) < Limit-20 {
				t.Errorf("%d bytes of %d are used", len(got), Limit)
			}
			head, rest, marked := strings.Cut(got, " … (")
			_, tail, ended := strings.Cut(rest, " bytes left out) … ")
			cleaned := clean(text)
			if !marked || !ended || !strings.HasPrefix(cleaned, head) || !strings.HasSuffix(cleaned, tail) || min(len(head), len(tail)) < 380 {
				t.Errorf("both ends with a mark between them are wanted: %q", got)
			}
			if want := fmt.Sprintf("(%d bytes", len(cleaned)-len(head)-len(tail)); !strings.Contains(got, want) {
				t.Errorf("no %q in %q", want, got)
			}
		})
	}
}

func FuzzNote(f *testing.F) {
	f.Add("a\nb", 700)
	f.Add("集\xff\u202e", 900)
	f.Fuzz(func(t *testing.T, part string, times int) {
		got := Note(strings.Repeat(part, max(0, times%3000)))
		if len(got) > Limit || !utf8.ValidString(got) || strings.ContainsFunc(got, steers) {
			t.Errorf("%d bytes: %q", len(got), got)
		}
	})
}
