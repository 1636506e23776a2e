package logs

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/lines"
)

// lookAgain is how often members are looked for that have joined or come back, and whether
// what is followed has ended.
const lookAgain = 2 * time.Second

// following is that of all members.
type following struct {
	*Options
	out   *lines.Writer
	notes *members.Notes
	// slots are for the logs that are read at a time.
	slots chan struct{}

	mu        sync.Mutex
	followers map[string]*follower
	// broken is why nothing can be written any more.
	broken error
	end    context.CancelFunc
}

// follow prints what there is and what comes, until the pods of all members have ended for
// good, or ctx does.
func (o *Options) follow(ctx context.Context, reacher *members.Reacher, out *lines.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	f := &following{
		Options: o, out: out, notes: members.NewNotes(o.factory.ErrOut), slots: make(chan struct{}, o.MaxRequests),
		followers: map[string]*follower{}, end: cancel,
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for first := true; ; first = false {
		reached, err := reacher.Reach(ctx)
		switch {
		case err == nil:
			f.take(ctx, reached, &running)
		case ctx.Err() != nil:
			return f.why(ctx)
		case first:
			return err
		default:
			f.notes.Once("Warning: the members cannot be looked up now: %v", err)
		}
		if done, err := f.done(); done && err == nil && f.notes.Any() {
			f.notes.Once("All that could be followed has ended; waiting for the members that are missing.")
		} else if done {
			return err
		}
		select {
		case <-ctx.Done():
			return f.why(ctx)
		case <-time.After(lookAgain):
		}
	}
}

// why is what has ended the following.
func (f *following) why(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	return ctx.Err()
}

// take begins to follow the members that are not followed yet.
func (f *following) take(ctx context.Context, reached *members.Reached, running *sync.WaitGroup) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range reached.Missing {
		f.notes.Lost(m)
	}
	for _, m := range reached.Members {
		if f.followers[m.Name] == nil {
			one := &follower{following: f, member: m, streams: map[string]*stream{}}
			f.followers[m.Name] = one
			running.Go(func() { one.run(ctx) })
		}
	}
}

// done says whether nothing comes any more. It is an error if there never was anything.
func (f *following) done() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := false
	for _, one := range f.followers {
		state, ever := one.state()
		if state == busy {
			return false, nil
		}
		found = found || ever
	}
	if !found && !f.notes.Any() {
		return true, fmt.Errorf("there are no logs of %s in namespace %s of the members", f.what(), f.Namespace)
	}
	return true, nil
}

// write prints a line. Where nobody reads any more, all ends.
func (f *following) write(from lines.Source, line lines.Line) error {
	err := f.out.Write(from, line)
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.broken = err
		f.end()
	}
	return err
}
