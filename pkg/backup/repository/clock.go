package repository

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// clock notes how far a storage's clock is ahead of ours when it refuses us. Requests
// are signed with their time; an answer that refuses an old one often has no body to
// say so, but always a date.
type clock struct {
	next  http.RoundTripper
	ahead atomic.Int64
}

// watchClock has a clock see the answers that a client gets.
func watchClock(client *http.Client) *clock {
	c := &clock{next: client.Transport}
	client.Transport = c
	return c
}

// RoundTrip implements http.RoundTripper.
func (c *clock) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(r)
	if err != nil || response.StatusCode < http.StatusBadRequest {
		return response, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		c.ahead.Store(int64(time.Until(date)))
	}
	return response, nil
}

// maxAhead is less than the quarter of an hour that storages allow, and more than
// any answer takes.
const maxAhead = 5 * time.Minute

// explain names the clocks where they may be why we are refused.
func (c *clock) explain(err error) error {
	ahead := time.Duration(c.ahead.Load())
	var refused *fault
	if errors.As(err, &refused) && refused.reason == AccessDenied && ahead.Abs() > maxAhead {
		refused.hint = fmt.Sprintf("the clocks of this machine and of the storage differ by %s: set both right", ahead.Abs().Round(time.Minute))
	}
	return err
}
