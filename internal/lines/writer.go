package lines

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// Writer writes lines of sources that come at once, each with one call.
type Writer struct {
	style Style
	// timestamps has lines bear their times.
	timestamps bool

	mu  sync.Mutex
	to  io.Writer
	buf []byte
}

// NewWriter writes lines in a style, with their times if that is asked for.
func NewWriter(to io.Writer, style Style, timestamps bool) *Writer {
	return &Writer{to: to, style: style, timestamps: timestamps}
}

// Write writes one line.
func (w *Writer) Write(from Source, line Line) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := line.Text
	if w.timestamps && !line.Time.IsZero() {
		text = append(append(line.Time.AppendFormat(nil, time.RFC3339Nano), ' '), text...)
	}
	w.buf = w.style.Append(w.buf[:0], from, text)
	_, err := w.to.Write(w.buf)
	if cap(w.buf) > Longest {
		w.buf = nil
	}
	return err
}

// Of is a writer of one source: what is written to it comes out in whole lines.
func (w *Writer) Of(from Source) *SourceWriter { return &SourceWriter{w: w, from: from} }

// SourceWriter writes what one source says. Close writes what has no end.
type SourceWriter struct {
	w    *Writer
	from Source
	rest []byte
}

var _ io.WriteCloser = &SourceWriter{}

// Rename has the source called otherwise from now on, once more of it is known. It is not for
// while somebody writes.
func (s *SourceWriter) Rename(from Source) { s.from = from }

// Write implements io.Writer.
func (s *SourceWriter) Write(text []byte) (int, error) {
	s.rest = append(s.rest, text...)
	for {
		end := bytes.IndexByte(s.rest, '\n')
		next := end + 1
		if end < 0 && len(s.rest) >= Longest {
			end, next = Longest, Longest
		}
		if end < 0 {
			return len(text), nil
		}
		if err := s.w.Write(s.from, Line{Text: s.rest[:end]}); err != nil {
			return 0, err
		}
		s.rest = s.rest[next:]
	}
}

// Close implements io.Closer.
func (s *SourceWriter) Close() error {
	if len(s.rest) == 0 {
		return nil
	}
	defer func() { s.rest = nil }()
	return s.w.Write(s.from, Line{Text: s.rest})
}
