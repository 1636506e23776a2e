package errtext

import "unicode/utf8"

// Elide shortens a text to at most limit bytes by leaving out its middle. API servers say
// what is wrong at the end, after a value that may be long.
func Elide(text string, limit int) string {
	const gap = " … "
	if len(text) <= limit {
		return text
	}
	head := max(limit-len(gap), 0) / 2
	tail := len(text) - max(limit-len(gap)-head, 0)
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return text[:head] + gap + text[tail:]
}
