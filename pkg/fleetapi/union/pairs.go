package union

import (
	"bytes"
	"encoding/json"
	"iter"
)

// What is read here was found to be JSON before.

// pairs are the keys and the values of an object, in their order; keys as they mean, values
// as they are written.
func pairs(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		at := skipSpace(object, 0)
		if at >= len(object) || object[at] != '{' {
			return
		}
		for at = skipSpace(object, at+1); at < len(object) && object[at] == '"'; at = skipSpace(object, at+1) {
			end := valueEnd(object, at)
			key := object[at:end]
			at = skipSpace(object, skipSpace(object, end)+1) // behind the colon
			end = valueEnd(object, at)
			if !yield(textOf(key), object[at:end]) {
				return
			}
			if at = skipSpace(object, end); at >= len(object) || object[at] != ',' {
				return
			}
		}
	}
}

// elements are those of an array.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		at := skipSpace(array, 0)
		if at >= len(array) || array[at] != '[' {
			return
		}
		for at = skipSpace(array, at+1); at < len(array) && array[at] != ']'; at = skipSpace(array, at+1) {
			end := valueEnd(array, at)
			if !yield(array[at:end]) {
				return
			}
			if at = skipSpace(array, end); at >= len(array) || array[at] != ',' {
				return
			}
		}
	}
}

// valueEnd is where the value ends that begins at a place.
func valueEnd(in []byte, at int) int {
	depth := 0
	for ; at < len(in); at++ {
		switch in[at] {
		case '"':
			at = textEnd(in, at) - 1
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth--; depth < 0 {
				return at // of a scalar before it
			}
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return at
			}
			continue
		default:
			continue // a part of a scalar
		}
		if depth == 0 {
			return at + 1
		}
	}
	return at
}

func textEnd(in []byte, at int) int {
	for at = plainEnd(in, at+1); at < len(in); at = plainEnd(in, at+1) {
		switch in[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return at
}

func skipSpace(in []byte, at int) int {
	for at < len(in) && (in[at] == ' ' || in[at] == '\n' || in[at] == '\r' || in[at] == '\t') {
		at++
	}
	return at
}

// textOf is what a string means.
func textOf(quoted []byte) string {
	if len(quoted) >= 2 && quoted[0] == '"' && bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return "" // a number, null or the like
	}
	return text
}

func isNull(value []byte) bool { return bytes.Equal(value, []byte("null")) }

// appendText writes a string.
func appendText(to []byte, text string) []byte {
	if isPlain(text) {
		return append(append(append(to, '"'), text...), '"')
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return append(to, `""`...) // there is none
	}
	return append(to, quoted...)
}

// isPlain says whether a text is written as it is, as names mostly are.
func isPlain(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
