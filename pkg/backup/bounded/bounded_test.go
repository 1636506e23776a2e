package bounded

import (
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
)

// endless is a reader of n bytes.
func endless(n int64) io.Reader {
	return io.LimitReader(readerFunc(func(p []byte) (int, error) {
		for i := range p {
			p[i] = 'x'
		}
		return len(p), nil
	}), n)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestTailIsBounded puts a gibibyte through each way in, from several goroutines.
func TestTailIsBounded(t *testing.T) {
	tail := NewTail(300)
	if _, ok := any(tail).(io.ReaderFrom); ok {
		t.Error("a Tail has a way in that goes round its limit")
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			if n, err := io.Copy(tail, endless(256<<20)); n != 256<<20 || err != nil {
				t.Errorf("%d bytes were taken, %v", n, err)
			}
		})
	}
	writers.Wait()
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 8<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	if cap(tail.kept) > 1024 || len(tail.String()) > 310 {
		t.Errorf("%d bytes are kept, %d are told", cap(tail.kept), len(tail.String()))
	}
	_, _ = io.WriteString(tail, "the end")
	if got := tail.String(); !strings.HasSuffix(got, "the end") || !strings.HasPrefix(got, cut) {
		t.Errorf("got %q", got)
	}
}

// TestTailLosesNothing that fits, whoever writes.
func TestTailLosesNothing(t *testing.T) {
	tail := NewTail(4000)
	var writers sync.WaitGroup
	for range 20 {
		writers.Go(func() {
			_, _ = io.Copy(tail, iotest.OneByteReader(strings.NewReader(strings.Repeat("o", 100))))
			_, _ = io.WriteString(tail, strings.Repeat("e", 100))
		})
	}
	writers.Wait()
	if got := tail.String(); strings.Count(got, "o") != 2000 || strings.Count(got, "e") != 2000 {
		t.Errorf("got %d bytes", len(got))
	}
}
