package lines

import (
	"container/heap"
	"errors"
	"io"
)

// From is a source that is read.
type From struct {
	Source
	Lines interface{ Next() (Line, error) }
}

// Merge emits the lines of sources in the order of their times, and those of one source in
// its own. Of each it holds one line. failed is told of a source that breaks off, which the
// others do not; the error is that of emit.
func Merge(sources []From, emit func(Source, Line) error, failed func(Source, error)) error {
	waiting := &queue{}
	next := func(i int) {
		line, err := sources[i].Lines.Next()
		switch {
		case err == nil:
			heap.Push(waiting, queued{line, i})
		case !errors.Is(err, io.EOF):
			failed(sources[i].Source, err)
		}
	}
	for i := range sources {
		next(i)
	}
	for waiting.Len() > 0 {
		first, _ := heap.Pop(waiting).(queued)
		if err := emit(sources[first.source].Source, first.line); err != nil {
			return err
		}
		next(first.source)
	}
	return nil
}

type queued struct {
	line   Line
	source int
}

// queue implements heap.Interface.
type queue []queued

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if !q[i].line.Time.Equal(q[j].line.Time) {
		return q[i].line.Time.Before(q[j].line.Time)
	}
	return q[i].source < q[j].source
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(queued)) } //nolint:forcetypeassert // only Merge pushes
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
