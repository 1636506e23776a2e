// Package turns has many be asked, a few at a time, without those that do not answer holding
// up the others: who takes long gives up his turn, and goes on beside them.
package turns

import (
	"context"
	"sync"
	"time"
)

// Turns are what those that are asked take, one after the other.
type Turns struct {
	free chan struct{}
	soon time.Duration
}

// New lets a number be asked at a time, of which each counts for no longer than soon.
func New(atOnce int, soon time.Duration) *Turns {
	return &Turns{free: make(chan struct{}, atOnce), soon: soon}
}

// Soon is how long one of a number counts at most, so that all have had their turn within a time.
func Soon(within time.Duration, number, atOnce int) time.Duration {
	rounds := max(1, (number+atOnce-1)/atOnce)
	return within / time.Duration(rounds)
}

// Take waits for a turn. leave ends it, and may be called more than once. The error is that of
// ctx: there was none.
func (t *Turns) Take(ctx context.Context) (leave func(), err error) {
	select {
	case t.free <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	end := sync.OnceFunc(func() { <-t.free })
	over := time.AfterFunc(t.soon, end)
	return func() { over.Stop(); end() }, nil
}

// Each calls do with the numbers below n, and returns when all calls have. Those whose turn does
// not come before ctx ends are called all the same: they see it themselves.
func (t *Turns) Each(ctx context.Context, n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		leave, err := t.Take(ctx)
		if err != nil {
			leave = func() {}
		}
		all.Go(func() {
			defer leave()
			do(i)
		})
	}
	all.Wait()
}
