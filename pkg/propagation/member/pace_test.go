package member

import (
	"context"
	"errors"
	"testing"
)

// A turn that was waited for is one request's, and those after it wait for their own.
func TestPace(t *testing.T) {
	counted := &counter{}
	p := &Pace{counted}
	ctx, err := p.turn(t.Context())
	if err != nil || counted.waits != 1 {
		t.Fatalf("%v after %d waits", err, counted.waits)
	}
	for request, want := range []int{1, 2, 3} {
		inner, cancel := context.WithCancel(ctx) // as a time-out makes one
		if err := p.Wait(inner); err != nil || counted.waits != want {
			t.Errorf("request %d: %v after %d waits, want %d", request, err, counted.waits, want)
		}
		cancel()
	}
	counted.err = errors.New("ended")
	if _, err := p.turn(t.Context()); err == nil {
		t.Error("no error of a wait that was ended")
	}
	var none *Pace
	if ctx, err := none.turn(t.Context()); err != nil || ctx != t.Context() {
		t.Errorf("without a limit: %v", err)
	}
	if NewPace(0, 5) != nil || NewPace(-1, 0) != nil {
		t.Error("there is a limit where none is set")
	}
}

type counter struct {
	waits int
	err   error
}

func (c *counter) TryAccept() bool { return true }
func (c *counter) Accept()         {}
func (c *counter) Stop()           {}
func (c *counter) QPS() float32    { return 1 }

func (c *counter) Wait(context.Context) error {
	c.waits++
	return c.err
}
