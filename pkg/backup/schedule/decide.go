package schedule

import "time"

// Grace is how late a run may begin and still count as on time, where runs that
// were missed are not made up for and no deadline is set.
const Grace = time.Minute

// maxCounted is how many missed runs are counted before it is given up.
const maxCounted = 1000

// Input is what a decision rests on.
type Input struct {
	Schedule *Schedule
	// Offset is added to every tick.
	Offset time.Duration
	// Since is the point from which ticks count: the last tick that was dealt with,
	// or the creation of the schedule if there is none.
	Since time.Time
	Now   time.Time
	// Suspended schedules run nothing, and what passes meanwhile is not missed.
	Suspended bool
	// SkipMissed runs only what is on time.
	SkipMissed bool
	// Deadline is how late a run may begin; 0: no limit, or Grace with SkipMissed.
	Deadline time.Duration
}

// Reason says in one word why a decision is as it is.
type Reason string

// The reasons.
const (
	// Due: there is a run to be made now.
	Due Reason = "Due"
	// Waiting: the next run is in the future.
	Waiting Reason = "Waiting"
	// Suspended: nothing is run.
	Suspended Reason = "Suspended"
	// TooLate: a run was due so long ago that it is not made up for.
	TooLate Reason = "TooLate"
	// NoMoreTimes: the schedule has no time in the years to come.
	NoMoreTimes Reason = "NoMoreTimes"
)

// Decision says what to do.
type Decision struct {
	Reason Reason
	// Tick to run now, without the offset; zero if there is none.
	Tick time.Time
	// Since is the Input's Since for the next decision, once this one has been
	// carried out.
	Since time.Time
	// Missed is the number of ticks, at most 1000, that have passed since Input.Since
	// and are not run.
	Missed int
	// Next is when the next run starts, with the offset; zero if none will.
	Next time.Time
}

// Decide says which run is due, at most one, however many ticks have passed: the
// last of them stands for all.
func Decide(in Input) Decision {
	tick := in.Schedule.Last(in.Now.Add(-in.Offset))
	out := Decision{Reason: Waiting, Since: in.Since}
	passed := !tick.IsZero() && tick.After(in.Since)
	if passed {
		out.Since = tick
	}
	if in.Suspended {
		out.Reason = Suspended
		return out
	}
	if next := in.Schedule.Next(out.Since); !next.IsZero() {
		out.Next = next.Add(in.Offset)
	} else {
		out.Reason = NoMoreTimes
	}
	if !passed {
		return out
	}
	out.Missed = in.Schedule.Count(in.Since, tick, maxCounted)
	if in.late(tick) {
		out.Reason = TooLate
		return out
	}
	out.Reason, out.Tick = Due, tick
	out.Missed--
	return out
}

// late says whether it is too late to run a tick.
func (in Input) late(tick time.Time) bool {
	limit := in.Deadline
	if limit <= 0 && in.SkipMissed {
		limit = Grace
	}
	return limit > 0 && in.Now.Sub(tick.Add(in.Offset)) > limit
}
