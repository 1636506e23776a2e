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

// suffice says whether a user may have so many at all. The error does not say when to ask
// again: that would be in vain.
func (p *places) suffice(places int) error {
	most, flag := p.each, "--fleet-api-max-requests-per-user"
	if p.total < most {
		most, flag = p.total, "--fleet-api-max-requests"
	}
	if places <= most {
		return nil
	}
	return apierrors.NewBadRequest(fmt.Sprintf(
		"a watch of %d clusters is as many requests to members, and this server lets nobody have more than %d open (%s): watch fewer clusters at once", places, most, flag))
}

// take takes places for a user, all or none; leave gives them back, once. The error is one
// that a client of the API understands.
func (p *places) take(user string, places int) (leave func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case places <= 0:
		return func() {}, nil
	case p.by[user]+places > p.each:
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf(
			"%q has %d requests to members open at this server, and may have no more than %d (--fleet-api-max-requests-per-user)", user, p.by[user], p.each), placeRetryAfter)
	case p.taken+places > p.total:
		return nil, apierrors.NewTooManyRequests(fmt.Sprintf(
			"%d requests to members are open at this server, and there may be no more than %d (--fleet-api-max-requests)", p.taken, p.total), placeRetryAfter)
	}
	p.taken += places
	p.by[user] += places
	return sync.OnceFunc(func() { p.leave(user, places) }), nil
}

func (p *places) leave(user string, places int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken -= places
	if p.by[user] -= places; p.by[user] == 0 {
		delete(p.by, user)
	}
}
