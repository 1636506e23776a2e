package errtext

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cluster is how many bytes of one member's words go into an object of the host.
const Cluster = 1 << 10

const cut = " … "

// Bounded is at most so many bytes of a text that somebody else has written, on one
// line, in whole characters, without those that control terminals. Both its ends are
// kept, because the reason is often at the end; what was cut out between is marked.
// What is bounded already stays as it is. most is 16 at least.
func Bounded(text string, most int) string {
	if len(text) <= most {
		if text = plain(text); len(text) <= most {
			return text
		}
	}
	// Not more is looked at than what can be kept.
	window := 4 * most
	head, tail := text[:min(len(text), window)], text[max(0, len(text)-window):]
	head, tail = plain(head), plain(tail)
	if len(text) <= window && len(head) <= most {
		return strings.Clone(head)
	}
	room := most - len(cut)
	end := min(len(head), room-room/2)
	for end > 0 && end < len(head) && !utf8.RuneStart(head[end]) {
		end--
	}
	begin := max(0, len(tail)-room/2)
	for begin < len(tail) && !utf8.RuneStart(tail[begin]) {
		begin++
	}
	// Joined to a new string: a part of the text would keep all of it in memory.
	return strings.TrimSpace(head[:end]) + cut + strings.TrimSpace(tail[begin:])
}

// plain is a text without what is not text.
func plain(text string) string {
	apart := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), apart), " ")
}
