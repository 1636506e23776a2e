package union

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MostOfValue bounds one object: API servers store no larger ones by default, by far.
const MostOfValue = 8 << 20

var (
	errJSON = errors.New("what it says is not JSON")
	errLong = errors.New("it has an object that is longer than any API server stores")
)

// values reads the parts of JSON as it comes, of which none is kept.
type values struct {
	from *bufio.Reader
	buf  []byte
	last int // how long the last value was
	most int // how long one may be
}

func newValues(from io.Reader) *values {
	const buffer = 32 << 10
	return &values{from: bufio.NewReaderSize(from, buffer), most: MostOfValue}
}

// peek is the next byte that is no space.
func (v *values) peek() (byte, error) {
	for {
		c, err := v.from.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		return c, v.from.UnreadByte()
	}
}

// take is true if the next byte that is no space is this one, which is read then.
func (v *values) take(want byte) (bool, error) {
	c, err := v.peek()
	if err != nil || c != want {
		return false, unexpected(err)
	}
	_, err = v.from.ReadByte()
	return true, err
}

func (v *values) expect(want byte) error {
	found, err := v.take(want)
	if err == nil && !found {
		err = errJSON
	}
	return err
}

// next is the next value, until the one after it is read.
func (v *values) next() ([]byte, error) {
	v.buf = v.buf[:0]
	if cap(v.buf) > bigBuffer {
		v.buf = nil
	}
	c, err := v.peek()
	if err != nil {
		return nil, unexpected(err)
	}
	switch c {
	case '{', '[', '"':
		value, err := v.whole()
		if err != nil || value == nil {
			value, err = v.pieces(c)
		}
		v.last = len(value)
		return value, unexpected(err)
	}
	if err := v.scalar(); err != nil {
		return nil, unexpected(err)
	}
	if !json.Valid(v.buf) {
		return nil, errJSON
	}
	return v.buf, nil
}

// whole is the next value where all of it has been read already: it stays where it is. It is
// nil where it has not, or is not likely to have been.
func (v *values) whole() ([]byte, error) {
	buffered := v.from.Buffered()
	if buffered < v.last {
		return nil, nil
	}
	chunk, err := v.from.Peek(buffered)
	if err != nil {
		return nil, err
	}
	end := scan(chunk, 0, 0)
	if end < 0 {
		return nil, nil // what is no JSON is found to be none by who copies it, too
	}
	_, err = v.from.Discard(end)
	return chunk[:end], err
}

// pieces copies the next value together.
func (v *values) pieces(first byte) (value []byte, err error) {
	if first == '"' {
		err = v.text()
	} else {
		err = v.nested()
	}
	if err == nil && scan(v.buf, 0, 0) != len(v.buf) {
		err = errJSON
	}
	return v.buf, err
}

// bigBuffer is how much is kept for the next value.
const bigBuffer = 256 << 10

// nested copies until what opens first is closed. Whether it is JSON is seen afterwards.
func (v *values) nested() error {
	depth := 0
	for {
		chunk, err := v.chunk()
		if err != nil {
			return err
		}
		for i := 0; i < len(chunk); i++ {
			switch chunk[i] {
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return v.keep(chunk[:i+1])
				}
			case '"':
				if err := v.keep(chunk[:i]); err != nil {
					return err
				}
				if err := v.text(); err != nil {
					return err
				}
				chunk, i = nil, 0
			}
		}
		if err := v.keep(chunk); err != nil {
			return err
		}
	}
}

// text copies a string.
func (v *values) text() error {
	begun, escaped := false, false
	for {
		chunk, err := v.chunk()
		if err != nil {
			return err
		}
		for i := 0; i < len(chunk); i++ {
			switch c := chunk[i]; {
			case !begun:
				begun = true // the quote
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				return v.keep(chunk[:i+1])
			default:
				i = max(i, plainEnd(chunk, i)-1)
			}
		}
		if err := v.keep(chunk); err != nil {
			return err
		}
	}
}

func (v *values) scalar() error {
	for {
		c, err := v.from.ReadByte()
		if errors.Is(err, io.EOF) && len(v.buf) > 0 {
			return nil
		} else if err != nil {
			return err
		}
		switch c {
		case ',', '}', ']', ' ', '\n', '\r', '\t', ':', '{', '[', '"':
			return v.from.UnreadByte()
		}
		v.buf = append(v.buf, c)
		if len(v.buf) > mostOfVersion {
			return errJSON
		}
	}
}

// chunk is what has been read already and not taken.
func (v *values) chunk() ([]byte, error) {
	if v.from.Buffered() == 0 {
		if _, err := v.from.Peek(1); err != nil {
			return nil, err
		}
	}
	return v.from.Peek(v.from.Buffered())
}

// keep takes a chunk, or the beginning of one.
func (v *values) keep(chunk []byte) error {
	v.buf = append(v.buf, chunk...)
	if len(v.buf) > v.most {
		return errLong
	}
	_, err := v.from.Discard(len(chunk))
	return err
}

// unexpected is an end where there should be none.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("it ends early: %w", io.ErrUnexpectedEOF)
	}
	return err
}
