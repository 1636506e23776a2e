package errtext

import (
	"regexp"
	"strings"
)

const longestArgument = 512

// plainArgument is what no shell takes for anything but itself.
var plainArgument = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Argument is a word as a command that is advised has it, which is copied into a shell:
// one argument, whatever the word holds, and no flag. Names that a cluster tells may be
// anything, and a context is called what its owner likes.
func Argument(word string) string {
	word = strings.TrimLeft(Bounded(word, longestArgument), "-")
	if plainArgument.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
