package errtext

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBounded(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"short":       {"a b", "a b"},
		"lines":       {"a\r\n\tb\n", "a b"},
		"terminal":    {"a\x1b[31mb\u202e", "a [31mb"},
		"not UTF-8":   {"a\xffb", "a?b"},
		"long":        {strings.Repeat("a", 50) + "the end", "aaaaaaaa … the end"},
		"whole runes": {strings.Repeat("ä", 20), "ääää … äää"},
		"much space":  {"a" + strings.Repeat(" ", 60) + "b", "a b"},
	} {
		if got := Bounded(test.in, 20); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
	if got := Bounded("why: "+strings.Repeat("long ", 1<<20)+"end", Cluster); len(got) > Cluster || !strings.HasPrefix(got, "why: long") || !strings.HasSuffix(got, "long end") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func FuzzBounded(f *testing.F) {
	f.Add("a\xe2\x80", 5)
	f.Add(strings.Repeat("\xff\x1b", 200), 20)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = 16 + most&1023
		got := Bounded(text, most)
		if len(got) > most || !utf8.ValidString(got) || strings.ContainsAny(got, "\n\x1b") {
			t.Errorf("got %q", got)
		}
		if again := Bounded(got, most); again != got {
			t.Errorf("%q became %q", got, again)
		}
	})
}
