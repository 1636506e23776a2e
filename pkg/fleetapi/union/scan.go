package union

import (
	"encoding/binary"
	"math/bits"
)

// What members say is found to be JSON here, in one pass with where each value ends: lists
// are long, and encoding/json looks at every letter by itself. A test holds that both find
// the same.

const (
	// short is where a value ends that is not over yet, notJSON where it is none.
	short, notJSON = -1, -2
	// mostNested is how deep values may be in each other, as in encoding/json.
	mostNested = 10_000
)

// scan is where the value ends that begins at a place: an object, an array or a text.
func scan(in []byte, at, depth int) int {
	if at >= len(in) {
		return short
	}
	switch in[at] {
	case '"':
		return scanText(in, at)
	case '{', '[':
		if depth++; depth > mostNested {
			return notJSON
		}
		if in[at] == '{' {
			return scanObject(in, at+1, depth)
		}
		return scanArray(in, at+1, depth)
	}
	return scanScalar(in, at)
}

func scanObject(in []byte, at, depth int) int {
	for first := true; ; first = false {
		if at = skipSpace(in, at); at >= len(in) {
			return short
		}
		if first && in[at] == '}' {
			return at + 1
		}
		if in[at] != '"' {
			return notJSON
		}
		if at = scanText(in, at); at < 0 {
			return at
		}
		if at = skipSpace(in, at); at >= len(in) {
			return short
		}
		if in[at] != ':' {
			return notJSON
		}
		if at = scan(in, skipSpace(in, at+1), depth); at < 0 {
			return at
		}
		if at = skipSpace(in, at); at >= len(in) {
			return short
		}
		switch in[at] {
		case '}':
			return at + 1
		case ',':
			at++
		default:
			return notJSON
		}
	}
}

func scanArray(in []byte, at, depth int) int {
	for first := true; ; first = false {
		if at = skipSpace(in, at); at >= len(in) {
			return short
		}
		if first && in[at] == ']' {
			return at + 1
		}
		if at = scan(in, at, depth); at < 0 {
			return at
		}
		if at = skipSpace(in, at); at >= len(in) {
			return short
		}
		switch in[at] {
		case ']':
			return at + 1
		case ',':
			at++
		default:
			return notJSON
		}
	}
}

// scanText is where a text ends that begins at a place, with its quotes.
func scanText(in []byte, at int) int {
	for at = plainEnd(in, at+1); at < len(in); at = plainEnd(in, at) {
		switch in[at] {
		case '"':
			return at + 1
		case '\\':
			if at = scanEscape(in, at+1); at < 0 {
				return at
			}
		default:
			return notJSON // a control character
		}
	}
	return short
}

// scanEscape is where one ends, behind its backslash.
func scanEscape(in []byte, at int) int {
	if at >= len(in) {
		return short
	}
	switch in[at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return at + 1
	case 'u':
		for range 4 {
			if at++; at >= len(in) {
				return short
			}
			if c := in[at] | 0x20; (in[at] < '0' || in[at] > '9') && (c < 'a' || c > 'f') {
				return notJSON
			}
		}
		return at + 1
	}
	return notJSON
}

// plainEnd is where the first letter is that means something in a text: a quote, a backslash
// or a control character. It looks at eight at a time.
func plainEnd(in []byte, at int) int {
	const (
		word  = 8
		ones  = 0x0101010101010101
		highs = 0x80 * ones
	)
	for ; at+word <= len(in); at += word {
		w := binary.LittleEndian.Uint64(in[at:])
		quotes, backslashes := w^'"'*ones, w^'\\'*ones
		// The lowest bit that is set of each is right; those above it need not be.
		found := ((quotes-ones)&^quotes | (backslashes-ones)&^backslashes | (w-' '*ones)&^w) & highs
		if found != 0 {
			return at + bits.TrailingZeros64(found)/word
		}
	}
	for ; at < len(in) && in[at] != '"' && in[at] != '\\' && in[at] >= ' '; at++ {
	}
	return at
}

// scanScalar is where a number, true, false or null ends. At the end of what there is it is
// not known whether a number goes on.
func scanScalar(in []byte, at int) int {
	for _, word := range []string{"true", "false", "null"} {
		if in[at] != word[0] {
			continue
		}
		there := in[at:min(len(in), at+len(word))]
		switch {
		case string(there) == word:
			return at + len(word)
		case string(there) == word[:len(there)]:
			return short
		}
		return notJSON
	}
	return scanNumber(in, at)
}

func scanNumber(in []byte, at int) int {
	if in[at] == '-' {
		at++
	}
	if at < len(in) && in[at] == '0' {
		at++
	} else if at = scanDigits(in, at); at < 0 {
		return at
	}
	if at < len(in) && in[at] == '.' {
		if at = scanDigits(in, at+1); at < 0 {
			return at
		}
	}
	if at < len(in) && in[at]|0x20 == 'e' {
		if at++; at < len(in) && (in[at] == '+' || in[at] == '-') {
			at++
		}
		if at = scanDigits(in, at); at < 0 {
			return at
		}
	}
	if at >= len(in) {
		return short
	}
	return at
}

// scanDigits is where one or more digits end.
func scanDigits(in []byte, at int) int {
	begin := at
	for at < len(in) && '0' <= in[at] && in[at] <= '9' {
		at++
	}
	switch {
	case at >= len(in):
		return short
	case at == begin:
		return notJSON
	}
	return at
}
