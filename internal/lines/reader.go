package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"
)

// Longest is how long a line may be; what is longer is several.
const Longest = 256 << 10

// beginning is how much is kept in memory for a source whose lines are short.
const beginning = 4 << 10

// Line is one of a source.
type Line struct {
	// Time is what it bears; zero if none can be read.
	Time time.Time
	// Text has no end, and is there until the next line is read.
	Text []byte
}

// Reader reads the lines of one source that each begin with a time, as API servers send
// logs with timestamps.
type Reader struct {
	from *bufio.Reader
	text []byte
	last time.Time
}

// NewReader reads lines of a source.
func NewReader(from io.Reader) *Reader { return &Reader{from: bufio.NewReaderSize(from, beginning)} }

// Next is the next line. A last one without an end is one as well.
func (r *Reader) Next() (Line, error) {
	r.text = r.text[:0]
	for len(r.text) < Longest {
		part, err := r.from.ReadSlice('\n')
		r.text = append(r.text, part...)
		switch {
		case err == nil:
			return r.line(r.text[:len(r.text)-1]), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case len(r.text) > 0 && errors.Is(err, io.EOF):
			return r.line(r.text), nil
		default:
			return Line{}, err
		}
	}
	return r.line(r.text), nil
}

// line takes the time off. What bears none has that of the line before.
func (r *Reader) line(text []byte) Line {
	stamp, rest, found := bytes.Cut(text, []byte(" "))
	if found && len(stamp) <= len(time.RFC3339Nano)+1 {
		if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil {
			r.last = at
			return Line{Time: at, Text: rest}
		}
	}
	return Line{Time: r.last, Text: text}
}
