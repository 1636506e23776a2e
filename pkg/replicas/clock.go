package replicas

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock tells the time as a member has it, from the dates of its answers: since when a pod
// has had no node is said in that time, and clocks may be minutes apart.
type clock struct {
	next  http.RoundTripper
	ahead atomic.Int64 // by how many nanoseconds the member's time is ahead of ours
}

// agreement is how far a date may be from our time where the clocks agree: it has whole
// seconds, and an answer takes its time.
const agreement = 5 * time.Second

// listening is a client that makes the requests of another and hears the time in the answers.
func (c *clock) listening(client *http.Client) *http.Client {
	heard := *client
	if c.next = client.Transport; c.next == nil {
		c.next = http.DefaultTransport
	}
	heard.Transport = c
	return &heard
}

// RoundTrip implements http.RoundTripper.
func (c *clock) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err == nil {
		c.hear(response.Header.Get("Date"), time.Now())
	}
	return response, err
}

func (c *clock) hear(date string, now time.Time) {
	said, err := http.ParseTime(date)
	if err != nil {
		return
	}
	ahead := said.Sub(now)
	if ahead.Abs() <= agreement {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
}

// at is what the member's clock shows when ours shows now.
func (c *clock) at(now time.Time) time.Time { return now.Add(time.Duration(c.ahead.Load())) }
