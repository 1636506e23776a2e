package fleetapi

import (
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// placeRetryAfter is when who was refused a place may ask again, in seconds. Clients of
// Kubernetes do so by themselves.
const placeRetryAfter = 1

// places bound what is under way to members: watches and sessions last, and each holds
// memory here and a connection or stream in a member. One user's share is bounded too, so
// that a client that leaks watches stands in nobody's way but its own.
type places struct {
	total, each int

	mu    sync.Mutex
	taken int
	by    map[string]int
}

func newPlaces(total, each int) *places {
	return &places{total: total, each: each, by: map[string]int{}}
}

// take takes a place for a user; leave gives it back, once. The error is one that a client
// of the API understands.
func (p *places) take(user string) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.by[user] >= p.each:
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf(
			"%q has %d requests to members open at this server, and may have no more (--fleet-api-max-requests-per-user)", user, p.each), placeRetryAfter)
	case p.taken >= p.total:
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf(
			"%d requests to members are open at this server, and there may be no more (--fleet-api-max-requests)", p.total), placeRetryAfter)
	}
	p.taken++
	p.by[user]++
	return sync.OnceFunc(func() { p.leave(user) }), nil
}

func (p *places) leave(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[user]--; p.by[user] == 0 {
		delete(p.by, user)
	}
}
