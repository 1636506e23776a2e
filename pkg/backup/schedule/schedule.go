package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the zones, for machines that have none

	"github.com/robfig/cron/v3"
)

// Schedule is a set of points in time, in whole seconds, without beginning or end.
type Schedule struct {
	zone *time.Location
	// every is the distance of ticks for "@every"; otherwise 0, and wall is set.
	every time.Duration
	// wall finds the next reading of a clock, as if it were in UTC.
	wall cron.Schedule
	// interval is set for schedules that follow the clock through a second pass.
	interval bool
}

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Parse reads five cron fields (minute, hour, day of month, month, day of week),
// one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually, or
// "@every" and a duration of at least a second. zone is an IANA name such as
// Europe/Berlin; empty means UTC.
//
// A schedule that never comes (30 February) is an error.
func Parse(expression, zone string) (*Schedule, error) {
	location, err := loadZone(zone)
	if err != nil {
		return nil, err
	}
	expression = strings.Join(strings.Fields(expression), " ")
	if strings.ContainsRune(expression, '=') {
		return nil, fmt.Errorf("schedule %q: a time zone belongs in the field for it, not in the expression", expression)
	}
	if rest, ok := strings.CutPrefix(expression, "@every "); ok {
		every, err := parseEvery(rest)
		if err != nil {
			return nil, fmt.Errorf("schedule %q: %w", expression, err)
		}
		return &Schedule{zone: location, every: every}, nil
	}
	wall, err := parser.Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w (five fields are needed, such as \"30 2 * * *\", or @hourly, @daily, @weekly, @monthly, @yearly, or @every and a duration)", expression, err)
	}
	s := &Schedule{zone: location, wall: wall, interval: isInterval(expression)}
	if s.nextReading(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("schedule %q: there is no such day in any year", expression)
	}
	return s, nil
}

func loadZone(name string) (*time.Location, error) {
	if name == "Local" {
		// Go's name for the zone of the machine, which says nothing to another one.
		return nil, errors.New(`time zone "Local": an IANA name is needed, such as Europe/Berlin`)
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("time zone %q: an IANA name is needed, such as Europe/Berlin: %w", name, err)
	}
	return location, nil
}

func parseEvery(text string) (time.Duration, error) {
	every, err := time.ParseDuration(text)
	if err != nil {
		return 0, err
	}
	if every = every.Truncate(time.Second); every < time.Second {
		return 0, errors.New("the duration must be at least 1s")
	}
	return every, nil
}

// isInterval says whether an expression that has been parsed runs at intervals
// rather than at fixed times: its hour field has a star, as in Vixie's cron.
func isInterval(expression string) bool {
	if strings.HasPrefix(expression, "@") {
		return expression == "@hourly"
	}
	hour := strings.Fields(expression)[1]
	return strings.ContainsAny(hour, "*?")
}

// Location is the schedule's time zone.
func (s *Schedule) Location() *time.Location { return s.zone }

// Next returns the first tick after a point in time; zero if there is none in the
// following ten years.
func (s *Schedule) Next(after time.Time) time.Time {
	if s.every > 0 {
		return s.nextEvery(after)
	}
	after = after.Truncate(time.Second)
	limit := after.AddDate(10, 0, 0)
	// No clock differs by two days from UTC, so that before this nothing comes.
	const furthest = 48 * time.Hour
	from := after
	if reading := s.nextReading(after.UTC().Add(-furthest)); reading.IsZero() {
		return reading
	} else if earliest := reading.Add(-furthest); earliest.After(from) {
		from = earliest
	}
	for p := s.periodOf(from.Add(time.Second)); ; p = s.periodOf(p.end) {
		if next := s.nextIn(p, after); !next.IsZero() {
			return next.In(s.zone)
		}
		if p.end.IsZero() || p.end.After(limit) {
			return time.Time{}
		}
	}
}

// Last returns the last tick that is not after a point in time; zero if there is
// none in the ten years before.
func (s *Schedule) Last(at time.Time) time.Time {
	if s.every > 0 {
		return s.nextEvery(at.Add(-s.every))
	}
	at = at.Truncate(time.Second)
	// A tick comes after "back" but not after "at" if Next(back) is not after "at".
	// That holds for every point before the last tick and for none from it on, so
	// that the tick can be found by halving.
	within := func(seconds int64) bool {
		next := s.Next(at.Add(-time.Duration(seconds) * time.Second))
		return !next.IsZero() && !next.After(at)
	}
	const farthest = 10 * 365 * 24 * 60 * 60
	far := int64(60)
	for !within(far) {
		if far == farthest {
			return time.Time{}
		}
		far = min(far*4, farthest)
	}
	near := int64(0) // never within
	for far-near > 1 {
		if middle := (near + far) / 2; within(middle) {
			far = middle
		} else {
			near = middle
		}
	}
	return s.Next(at.Add(-time.Duration(far) * time.Second))
}

// Count returns how many ticks come after one point in time and not after another,
// at most limit.
func (s *Schedule) Count(after, until time.Time, limit int) int {
	n := 0
	for n < limit {
		after = s.Next(after)
		if after.IsZero() || after.After(until) {
			break
		}
		n++
	}
	return n
}

func (s *Schedule) nextEvery(after time.Time) time.Time {
	step := int64(s.every / time.Second)
	seconds := after.Unix() // rounded towards the past, also before 1970
	n := seconds / step
	if seconds%step < 0 {
		n--
	}
	return time.Unix((n+1)*step, 0).In(s.zone)
}
