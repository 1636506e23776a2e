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
}

func newValues(from io.Reader) *values {
	const buffer = 32 << 10
	return &values{from: bufio.NewReaderSize(from, buffer)}
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
	case '{', '[':
		err = v.nested()
	case '"':
		err = v.text()
	default:
		err = v.scalar()
	}
	if err != nil {
		return nil, unexpected(err)
	}
	if !json.Valid(v.buf) {
		return nil, errJSON
	}
	return v.buf, nil
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
		for i, c := range chunk {
			switch {
			case !begun:
				begun = true // the quote
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				return v.keep(chunk[:i+1])
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
	if len(v.buf) > MostOfValue {
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
