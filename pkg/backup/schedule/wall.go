package schedule

import "time"

// A period is a stretch of real time in which a zone's clock runs evenly. A
// "reading" is what the clock on the wall shows, written as a time in UTC.
type period struct {
	// start and end in real time, end excluded; zero if there is none.
	start, end time.Time
	// offset of the clock from UTC, and before start.
	offset, before time.Duration
}

func (s *Schedule) periodOf(t time.Time) period {
	t = t.In(s.zone)
	start, end := t.ZoneBounds()
	p := period{start: start.UTC(), end: end.UTC(), offset: offsetOf(t)}
	p.before = p.offset
	if start.IsZero() {
		p.start = time.Time{}
	} else {
		p.before = offsetOf(start.Add(-time.Second))
	}
	if end.IsZero() {
		p.end = time.Time{}
	}
	return p
}

func offsetOf(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// nextIn returns the first tick in the period that comes after a point in time;
// zero if there is none.
func (s *Schedule) nextIn(p period, after time.Time) time.Time {
	shifted := s.nextShifted(p, after)
	shown := s.nextShown(p, after)
	if shown.IsZero() || (!shifted.IsZero() && shifted.Before(shown)) {
		return shifted
	}
	return shown
}

// nextShown finds ticks that the clock shows in the period.
func (s *Schedule) nextShown(p period, after time.Time) time.Time {
	from := after.UTC().Add(p.offset)
	if !p.start.IsZero() {
		first := p.start.Add(p.offset)
		if !s.interval && p.before > p.offset {
			// The clock has gone back: what it shows until it is where it was before
			// has been shown already.
			first = p.start.Add(p.before)
		}
		if earliest := first.Add(-time.Second); from.Before(earliest) {
			from = earliest
		}
	}
	reading := s.nextReading(from)
	if reading.IsZero() {
		return reading
	}
	tick := reading.Add(-p.offset)
	if !p.end.IsZero() && !tick.Before(p.end) {
		return time.Time{}
	}
	return tick
}

// nextShifted finds ticks that the clock went over when the period began. They come
// as much later as the clock went forward.
func (s *Schedule) nextShifted(p period, after time.Time) time.Time {
	if p.start.IsZero() || p.before >= p.offset {
		return time.Time{}
	}
	from := after.UTC().Add(p.before)
	if earliest := p.start.Add(p.before - time.Second); from.Before(earliest) {
		from = earliest
	}
	reading := s.nextReading(from)
	if reading.IsZero() || !reading.Before(p.start.Add(p.offset)) {
		return time.Time{}
	}
	return reading.Add(-p.before)
}

// nextReading returns the first reading of the clock after another one that the
// expression names. The parser's own Next is asked in UTC only, where no clock is
// changed; it looks five years ahead, and 29 February may be eight years away.
func (s *Schedule) nextReading(after time.Time) time.Time {
	next := s.wall.Next(after)
	if next.IsZero() {
		next = s.wall.Next(after.AddDate(4, 0, 0))
	}
	return next
}
