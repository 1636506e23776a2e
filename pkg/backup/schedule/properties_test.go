package schedule

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var zones = []string{
	"UTC", "Europe/Berlin", "Europe/London", "Europe/Dublin", "Europe/Chisinau", "Africa/Cairo", "Africa/Casablanca", "Africa/El_Aaiun",
	"America/New_York", "America/Sao_Paulo", "America/Asuncion", "America/Santiago", "America/Havana", "America/St_Johns", "America/Caracas",
	"America/Nuuk", "America/Scoresbysund", "Asia/Amman", "Asia/Beirut", "Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata",
	"Asia/Pyongyang", "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe", "Australia/Sydney", "Antarctica/Troll", "Pacific/Apia",
	"Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Fakaofo", "Pacific/Norfolk",
}

// A daily job runs once for each date of the zone's calendar, whatever its time is
// and whatever the clock does: the dates are counted by walking through the year.
func TestDailyRunsOnceEachDay(t *testing.T) {
	for _, zone := range zones {
		dates := 0
		var first, end time.Time
		for _, at := range []string{"30 0", "15 1", "30 2", "30 23"} {
			s := mustParse(t, at+" * * *", zone)
			if dates == 0 {
				first = time.Date(2009, 1, 1, 0, 0, 0, 0, s.zone)
				end = time.Date(2019, 1, 1, 0, 0, 0, 0, s.zone)
				day := 0
				for hour := first; hour.Before(end); hour = hour.Add(time.Hour) {
					if hour.YearDay() != day {
						day = hour.YearDay()
						dates++
					}
				}
			}
			n, before := 0, time.Time{}
			for tick := s.Next(first.Add(-time.Second)); tick.Before(end); tick = s.Next(tick) {
				if n++; !before.IsZero() {
					if gap := tick.Sub(before); gap < 21*time.Hour || gap > 27*time.Hour {
						t.Errorf("%s at %s: %s after %s", zone, at, tick, before)
					}
				}
				before = tick
			}
			if n != dates {
				t.Errorf("%s at %s: %d runs on %d days", zone, at, n, dates)
			}
		}
	}
}

// An interval that divides every change of the clock runs at exactly the instants
// at which the clock shows it.
func TestIntervalsFollowTheClock(t *testing.T) {
	for _, zone := range zones {
		s := mustParse(t, "*/15 * * * *", zone)
		end := time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC)
		for change := time.Date(2005, 1, 1, 0, 0, 0, 0, s.zone); !change.IsZero() && change.Before(end); _, change = change.ZoneBounds() {
			tick := change.Add(-2 * time.Hour).Truncate(15 * time.Minute)
			for range 16 {
				next := s.Next(tick)
				if next.Sub(tick) != 15*time.Minute {
					t.Fatalf("%s: %s comes after %s", zone, next, tick.In(s.zone))
				}
				tick = next
			}
		}
	}
}

// Where whole hours stay whole hours, "every n hours" never leaves a longer gap.
func TestIntervalsLeaveNoLongerGap(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Sydney", "Africa/Cairo", "America/Sao_Paulo", "Pacific/Apia"} {
		for _, hours := range []int{1, 2, 3, 4, 6, 12} {
			s := mustParse(t, fmt.Sprintf("0 */%d * * *", hours), zone)
			tick := s.Next(time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC))
			for end := tick.AddDate(3, 0, 0); tick.Before(end); {
				next := s.Next(tick)
				// The clock going back between two times cannot be helped for more than an hour's step.
				limit := time.Duration(hours) * time.Hour
				if hours > 1 {
					limit += time.Hour
				}
				if gap := next.Sub(tick); gap > limit || gap < time.Hour {
					t.Fatalf("%s, every %d hours: %s comes after %s", zone, hours, next, tick)
				}
				tick = next
			}
		}
	}
}

// Next is strictly increasing, skips nothing when asked from in between, and Last
// is its inverse.
func TestNextAndLastAgree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	field := func(low, high int) string {
		switch random.IntN(4) {
		case 0:
			return "*"
		case 1:
			return fmt.Sprintf("*/%d", 1+random.IntN(high-low+1))
		case 2:
			a := low + random.IntN(high-low+1)
			return fmt.Sprintf("%d-%d", a, a+random.IntN(high-a+1))
		default:
			return fmt.Sprint(low + random.IntN(high-low+1))
		}
	}
	for range 600 {
		expression := fmt.Sprintf("%s %s %s %s %s", field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
		s := mustParse(t, expression, zones[random.IntN(len(zones))])
		at := time.Unix(1_100_000_000+random.Int64N(800_000_000), 0)
		for range 3 {
			next := s.Next(at)
			if !next.After(at) {
				t.Fatalf("%q in %s: Next(%s) = %s", expression, s.zone, at, next)
			}
			between := at.Add(time.Duration(random.Int64N(int64(next.Sub(at)))))
			if got := s.Next(between); !got.Equal(next) {
				t.Fatalf("%q in %s: Next(%s) = %s, but Next(%s) = %s", expression, s.zone, at, next, between, got)
			}
			if last := s.Last(next); !last.Equal(next) {
				t.Fatalf("%q in %s: Last(%s) = %s", expression, s.zone, next, last)
			}
			if last := s.Last(next.Add(-time.Second)); last.After(at) && !last.Equal(at) {
				t.Fatalf("%q in %s: Last(just before %s) = %s, though Next(%s) is it", expression, s.zone, next, last, at)
			}
			at = next
		}
	}
}

func TestOffset(t *testing.T) {
	const window = 30 * time.Minute
	quarters := [4]int{}
	for i := range 10_000 {
		offset := Offset(window, fmt.Sprintf("cluster-%d", i), "namespace/backup")
		if offset < 0 || offset >= window || offset%time.Second != 0 {
			t.Fatalf("offset %s", offset)
		}
		quarters[offset*4/window]++
	}
	for i, n := range quarters {
		if n < 2300 || n > 2700 {
			t.Errorf("quarter %d of the window has %d of 10,000", i, n)
		}
	}
	if got := Offset(window, "5f6f3a6e-7e0c-4f0e-9a55-0d6b2c1d0a11", "default/nightly"); got != 13*time.Minute+18*time.Second {
		t.Errorf("the offset of a known cluster has changed to %s: runs would move after an update", got)
	}
	if a, b := Offset(window, "a", "bc"), Offset(window, "ab", "c"); a == b {
		t.Error("cluster and key run into each other")
	}
	if got := Offset(0, "a", "b"); got != 0 {
		t.Errorf("offset without a window: %s", got)
	}
}
