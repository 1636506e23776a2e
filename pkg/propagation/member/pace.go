package member

import (
	"context"
	"sync/atomic"

	"k8s.io/client-go/util/flowcontrol"
)

// Pace limits the requests to a member. What is to be written waits for its turn before
// it is asked for the last time whether it is still to be: a minute later, somebody may
// want again what was to be deleted. It is the rate limiter of all the member's clients.
type Pace struct{ flowcontrol.RateLimiter }

// NewPace returns one for so many requests in a second; nil, which limits nothing, for 0 or less.
func NewPace(qps float32, burst int) *Pace {
	if qps <= 0 {
		return nil
	}
	return &Pace{flowcontrol.NewTokenBucketRateLimiter(qps, burst)}
}

type turnKey struct{}

// turn waits for the turn of the next request with the context that is returned.
func (p *Pace) turn(ctx context.Context) (context.Context, error) {
	if p == nil {
		return ctx, nil
	}
	if err := p.RateLimiter.Wait(ctx); err != nil {
		return ctx, err
	}
	taken := &atomic.Bool{}
	taken.Store(true)
	return context.WithValue(ctx, turnKey{}, taken), nil
}

// Wait implements flowcontrol.RateLimiter: a request that has waited passes at once.
func (p *Pace) Wait(ctx context.Context) error {
	if taken, _ := ctx.Value(turnKey{}).(*atomic.Bool); taken != nil && taken.CompareAndSwap(true, false) {
		return nil
	}
	return p.RateLimiter.Wait(ctx)
}
