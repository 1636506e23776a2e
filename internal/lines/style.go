package lines

import (
	"hash/fnv"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Source is where lines come from.
type Source struct{ Cluster, Pod, Container string }

// String names it, as precisely as it is told.
func (s Source) String() string {
	parts := []string{s.Cluster}
	for _, part := range []string{s.Pod, s.Container} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "/")
}

// Style is how lines are written.
type Style struct {
	// Terminal spares a terminal what controls it; elsewhere lines stay as they are.
	Terminal bool
	// Color tells sources apart by colours. It is for terminals.
	Color bool
	// Bare leaves the prefix out.
	Bare bool
}

// colors are those that are read well on dark and on light.
var colors = []int{36, 33, 32, 35, 34, 31, 96, 93, 92, 95, 94, 91}

// Append writes a line of a source, with its end.
func (s Style) Append(to []byte, from Source, line []byte) []byte {
	if !s.Bare {
		if s.Color {
			to = append(append(append(to, "\x1b["...), strconv.Itoa(colorOf(from))...), 'm')
		}
		to = append(append(append(to, '['), from.String()...), ']')
		if s.Color {
			to = append(to, "\x1b[0m"...)
		}
		to = append(to, ' ')
	}
	if s.Terminal {
		to = appendHarmless(to, line)
	} else {
		to = append(to, line...)
	}
	return append(to, '\n')
}

// colorOf a source is the same in each run.
func colorOf(from Source) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(from.String()))        // never fails
	return colors[h.Sum32()%uint32(len(colors))] //nolint:gosec // a dozen
}

// appendHarmless writes a line without what would control a terminal, or show text in another
// order than it is in: each such character as its code.
func appendHarmless(to, line []byte) []byte {
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		switch {
		case r == utf8.RuneError && size == 1:
			to = append(append(to, `\x`...), hex(int64(line[0]), 2)...)
		case r == '\t':
			to = append(to, '\t')
		case r == '\r' && size == len(line): // the end of a line of Windows
		case r < utf8.RuneSelf && unicode.IsControl(r):
			to = append(append(to, `\x`...), hex(int64(r), 2)...)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			to = append(append(to, `\u`...), hex(int64(r), 4)...)
		default:
			to = append(to, line[:size]...)
		}
		line = line[size:]
	}
	return to
}

func hex(n int64, digits int) string {
	text := strconv.FormatInt(n, 16)
	return strings.Repeat("0", max(0, digits-len(text))) + text
}
