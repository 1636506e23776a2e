package replicas

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, int(900*time.Millisecond), time.UTC)
	for name, test := range map[string]struct {
		date string
		want time.Duration
	}{
		"agreeing":       {now.Format(http.TimeFormat), 0},
		"a slow answer":  {now.Add(-4 * time.Second).Format(http.TimeFormat), 0},
		"ahead":          {now.Add(10 * time.Minute).Format(http.TimeFormat), 10*time.Minute - 900*time.Millisecond},
		"behind":         {now.Add(-10 * time.Minute).Format(http.TimeFormat), -10*time.Minute - 900*time.Millisecond},
		"without a date": {"", time.Minute},
		"no date":        {"yesterday", time.Minute},
	} {
		c := &clock{}
		c.ahead.Store(int64(time.Minute)) // as an earlier answer has said
		c.hear(test.date, now)
		if got := c.at(now).Sub(now); got != test.want {
			t.Errorf("%s: %s ahead, want %s", name, got, test.want)
		}
	}
}

func TestClockListens(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
	}))
	defer server.Close()
	c := &clock{}
	response, err := c.listening(server.Client()).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // empty
	now := time.Now()
	if behind := now.Sub(c.at(now)); behind < 9*time.Minute || behind > 11*time.Minute {
		t.Errorf("%s behind", behind)
	}
}
