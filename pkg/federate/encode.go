package federate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MostRendered is how large an object for a cluster may be, in bytes of JSON. An API server reads
// no more of a request.
//
// Source: MaxRequestBodyBytes in k8s.io/apiserver/pkg/server/config.go.
const MostRendered = 3 << 20

var errTooLarge = fmt.Errorf("it is larger than %d bytes, which no API server takes", MostRendered)

// appendJSON appends v as encoding/json prints it, with sorted keys, except for
// "creationTimestamp": null, which Go's API types print wherever they hold
// metadata (in pod templates, for one) and which means nothing.
//
// It exists because every (object, cluster) with overrides is encoded: without
// reflection it takes a fraction of the time.
//
// It ends with errTooLarge beyond MostRendered: what is put into many places of an object is
// one value in memory, and may be more than fits there where it is written.
func appendJSON(b []byte, v any) ([]byte, error) {
	if len(b) > MostRendered {
		return nil, errTooLarge
	}
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case string:
		return appendString(b, v)
	case map[string]any:
		return appendMap(b, v)
	case piece:
		return append(b, v...), nil
	case []any:
		if v == nil {
			return append(b, "null"...), nil
		}
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendJSON(b, item); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return appendAny(b, v)
}

// entry is one of a map.
type entry struct {
	key   string
	value any
}

func appendMap(b []byte, m map[string]any) ([]byte, error) {
	if m == nil {
		return append(b, "null"...), nil
	}
	var space [16]entry
	entries := space[:0]
	for key, value := range m {
		if value == nil && key == "creationTimestamp" {
			continue
		}
		entries = append(entries, entry{key, value})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	b = append(b, '{')
	for i := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendString(b, entries[i].key); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendJSON(b, entries[i].value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendString prints plain text itself and leaves what needs escapes to encoding/json.
// API servers read what is applied as YAML, which allows fewer characters than JSON, and
// takes one for a line break: those are escaped as well.
func appendString(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c >= 0x7f, c == '"', c == '\\', c == '<', c == '>', c == '&':
			data, err := json.Marshal(s)
			return appendAllowed(b, data), err
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}

// appendAllowed appends JSON, with escapes for what YAML does not allow.
//
// Source: nb-json and c-printable in the specification of YAML 1.2, and the reader of go-yaml.
func appendAllowed(b, data []byte) []byte {
	for _, r := range string(data) {
		switch {
		case r >= 0x7f && r < 0xa0, r == 0xfeff, r == 0xfffe, r == 0xffff:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

func appendAny(b []byte, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	return append(b, data...), err
}
