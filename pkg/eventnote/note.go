package eventnote

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limit is how many bytes the API server takes for a note.
const Limit = 1024

// Note is text as the note of an event. It is valid UTF-8 of one line, without what
// steers a terminal, and no longer than Limit. From a text that is too long the middle
// is left out, because the beginning says what failed and the end why.
func Note(text string) string {
	text = clean(text)
	if len(text) <= Limit {
		return text
	}
	// The mark only gets shorter when more is kept, so that this is room enough for it.
	room := Limit - len(mark(len(text)))
	head := room * 3 / 5
	tail := len(text) - (room - head)
	for !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return text[:head] + mark(tail-head) + text[tail:]
}

func mark(bytes int) string { return fmt.Sprintf(" … (%d bytes left out) … ", bytes) }

// clean replaces what is no text by spaces, of which a line break with its
// indentation leaves one.
func clean(text string) string {
	text = strings.ToValidUTF8(text, string(utf8.RuneError))
	if !strings.ContainsFunc(text, steers) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	replaced := false // by the space that was written last
	for _, r := range text {
		switch {
		case !steers(r) && (r != ' ' || !replaced):
			b.WriteRune(r)
			replaced = false
		case !replaced:
			b.WriteByte(' ')
			replaced = true
		}
	}
	return strings.TrimSpace(b.String())
}

// steers says that a rune is a command to whatever shows it: control characters,
// line breaks, and those that turn the direction of the text.
func steers(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}
