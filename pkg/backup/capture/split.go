package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// listPage is a page of a list, its objects as they came.
type listPage struct {
	items [][]byte
	// next is what to continue with, if there is more.
	next string
}

// splitList takes a list apart without decoding its objects. It relies on nothing
// but JSON: fields may come in any order, objects may hold anything. That an object
// is valid shows when it is decoded.
func splitList(body []byte) (listPage, error) {
	var page listPage
	s := scanner{data: body}
	if !s.take('{') {
		return page, errors.New("the list is not a JSON object")
	}
	for !s.take('}') {
		name, err := s.value()
		if err != nil || len(name) == 0 || name[0] != '"' || !s.take(':') {
			return page, fmt.Errorf("the list is cut off or no JSON at byte %d", s.at)
		}
		switch string(name) {
		case `"items"`:
			page.items, err = s.elements()
		case `"metadata"`:
			page.next, err = s.metadata()
		default:
			_, err = s.value()
		}
		if err != nil {
			return page, err
		}
		if !s.take(',') && s.peek() != '}' {
			return page, fmt.Errorf("the list is cut off or no JSON at byte %d", s.at)
		}
	}
	return page, nil
}

type scanner struct {
	data []byte
	at   int
}

func (s *scanner) peek() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.at >= len(s.data) {
		return false
	}
	s.at++
	return true
}

// value returns the next value as it is.
func (s *scanner) value() ([]byte, error) {
	first := s.peek()
	start := s.at
	var err error
	switch first {
	case '"':
		err = s.skipString()
	case '{', '[':
		err = s.skipNested()
	case 0, '}', ']', ',', ':':
		err = errors.New("no value")
	default:
		for s.at < len(s.data) && !bytes.ContainsRune([]byte(",]} \t\r\n:"), rune(s.data[s.at])) {
			s.at++
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the list is cut off or no JSON at byte %d: %w", s.at, err)
	}
	return s.data[start:s.at], nil
}

func (s *scanner) skipString() error {
	for i := s.at + 1; ; {
		end := bytes.IndexByte(s.data[i:], '"')
		if end < 0 {
			return errors.New("a string does not end")
		}
		end += i
		escapes := 0
		for end-1-escapes > s.at && s.data[end-1-escapes] == '\\' {
			escapes++
		}
		i = end + 1
		if escapes%2 == 0 {
			s.at = i
			return nil
		}
	}
}

// skipNested counts brackets outside of strings; which kind closes which is left to
// the decoder of the object.
func (s *scanner) skipNested() error {
	depth := 0
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case '"':
			if err := s.skipString(); err != nil {
				return err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return nil
		}
	}
	return errors.New("a bracket is not closed")
}

func (s *scanner) elements() ([][]byte, error) {
	if s.peek() == 'n' { // null: an empty list in Go
		_, err := s.value()
		return nil, err
	}
	if !s.take('[') {
		return nil, errors.New("the list's items are no array")
	}
	var items [][]byte
	for !s.take(']') {
		item, err := s.value()
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if !s.take(',') && s.peek() != ']' {
			return nil, fmt.Errorf("the list is cut off or no JSON at byte %d", s.at)
		}
	}
	return items, nil
}

func (s *scanner) metadata() (string, error) {
	raw, err := s.value()
	if err != nil {
		return "", err
	}
	var metadata struct {
		Continue string `json:"continue"`
	}
	if err := json.Unmarshal(raw, &metadata); err != nil {
		return "", fmt.Errorf("the list's metadata: %w", err)
	}
	return metadata.Continue, nil
}
