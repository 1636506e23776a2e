package schedule

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	const daily, hourly = "30 2 * * *", "@hourly"
	for _, tc := range []struct {
		name, expression, since, now string
		edit                         func(*Input)

		reason           Reason
		tick, next, then string // then: Since of the decision
		missed           int
	}{
		{name: "before the first time", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 02:29",
			reason: Waiting, next: "2026-01-02 02:30", then: "2026-01-01 12:00"},
		{name: "on time", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 02:30",
			reason: Due, tick: "2026-01-02 02:30", next: "2026-01-03 02:30", then: "2026-01-02 02:30"},
		{name: "dealt with", expression: daily, since: "2026-01-02 02:30", now: "2026-01-02 02:30",
			reason: Waiting, next: "2026-01-03 02:30", then: "2026-01-02 02:30"},
		{name: "not yet, because of the offset", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 02:45",
			edit:   func(in *Input) { in.Offset = 20 * time.Minute },
			reason: Waiting, next: "2026-01-02 02:50", then: "2026-01-01 12:00"},
		{name: "due after the offset", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 02:50",
			edit:   func(in *Input) { in.Offset = 20 * time.Minute },
			reason: Due, tick: "2026-01-02 02:30", next: "2026-01-03 02:50", then: "2026-01-02 02:30"},
		{name: "an offset longer than the distance of runs", expression: hourly, since: "2026-01-01 10:00", now: "2026-01-01 12:45",
			edit:   func(in *Input) { in.Offset = 100 * time.Minute },
			reason: Due, tick: "2026-01-01 11:00", next: "2026-01-01 13:40", then: "2026-01-01 11:00"},
		{name: "a long downtime is one run", expression: hourly, since: "2026-01-01 00:00", now: "2026-01-01 10:30",
			reason: Due, tick: "2026-01-01 10:00", next: "2026-01-01 11:00", then: "2026-01-01 10:00", missed: 9},
		{name: "a very long downtime is counted up to a limit", expression: hourly, since: "2020-01-01 00:00", now: "2026-01-01 10:30",
			reason: Due, tick: "2026-01-01 10:00", next: "2026-01-01 11:00", then: "2026-01-01 10:00", missed: 999},
		{name: "late, within the deadline", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 04:30",
			edit:   func(in *Input) { in.Deadline = 2 * time.Hour },
			reason: Due, tick: "2026-01-02 02:30", next: "2026-01-03 02:30", then: "2026-01-02 02:30"},
		{name: "later than the deadline", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 04:31",
			edit:   func(in *Input) { in.Deadline = 2 * time.Hour },
			reason: TooLate, next: "2026-01-03 02:30", then: "2026-01-02 02:30", missed: 1},
		{name: "the deadline counts from the end of the offset", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 04:31",
			edit:   func(in *Input) { in.Deadline, in.Offset = 2*time.Hour, time.Hour },
			reason: Due, tick: "2026-01-02 02:30", next: "2026-01-03 03:30", then: "2026-01-02 02:30"},
		{name: "skip: on time", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 02:31",
			edit:   func(in *Input) { in.SkipMissed = true },
			reason: Due, tick: "2026-01-02 02:30", next: "2026-01-03 02:30", then: "2026-01-02 02:30"},
		{name: "skip: missed", expression: daily, since: "2026-01-01 12:00", now: "2026-01-04 02:32",
			edit:   func(in *Input) { in.SkipMissed = true },
			reason: TooLate, next: "2026-01-05 02:30", then: "2026-01-04 02:30", missed: 3},
		{name: "skip with a deadline: that is what on time means", expression: daily, since: "2026-01-01 12:00", now: "2026-01-02 03:00",
			edit:   func(in *Input) { in.SkipMissed, in.Deadline = true, time.Hour },
			reason: Due, tick: "2026-01-02 02:30", next: "2026-01-03 02:30", then: "2026-01-02 02:30"},
		{name: "suspended: what passes is dealt with", expression: hourly, since: "2026-01-01 00:00", now: "2026-01-01 10:30",
			edit:   func(in *Input) { in.Suspended = true },
			reason: Suspended, then: "2026-01-01 10:00"},
		{name: "suspended for a month", expression: hourly, since: "2026-01-01 00:00", now: "2026-02-01 10:30",
			edit:   func(in *Input) { in.Suspended = true },
			reason: Suspended, then: "2026-02-01 10:00"},
		{name: "a month's pause is over: nothing is made up for", expression: hourly, since: "2026-02-01 10:00", now: "2026-02-01 10:31",
			reason: Waiting, next: "2026-02-01 11:00", then: "2026-02-01 10:00"},
		{name: "a month's downtime is one run", expression: hourly, since: "2026-01-01 00:00", now: "2026-02-01 10:30",
			reason: Due, tick: "2026-02-01 10:00", next: "2026-02-01 11:00", then: "2026-02-01 10:00", missed: 753},
		{name: "suspended before its time", expression: daily, since: "2026-01-01 12:00", now: "2026-01-01 13:00",
			edit:   func(in *Input) { in.Suspended = true },
			reason: Suspended, then: "2026-01-01 12:00"},
		{name: "a clock that went back runs nothing twice", expression: hourly, since: "2026-01-01 12:00", now: "2026-01-01 10:30",
			reason: Waiting, next: "2026-01-01 13:00", then: "2026-01-01 12:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := mustParse(t, tc.expression, "")
			at := func(text string) time.Time {
				if text == "" {
					return time.Time{}
				}
				return local(t, s, text)
			}
			in := Input{Schedule: s, Since: at(tc.since), Now: at(tc.now)}
			if tc.edit != nil {
				tc.edit(&in)
			}
			want := Decision{Reason: tc.reason, Tick: at(tc.tick), Next: at(tc.next), Since: at(tc.then), Missed: tc.missed}
			if got := Decide(in); got != want {
				t.Errorf("Decide:\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

// However an executor is up and down, every tick is either run or counted as
// missed, none twice, and no two runs come without one tick between them.
func TestDecideAccountsForEveryTick(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		s := mustParse(t, []string{"@hourly", "*/7 * * * *", "30 2 * * *", "@every 11m"}[random.IntN(4)], zones[random.IntN(len(zones))])
		begin := time.Date(2026, time.Month(1+random.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
		in := Input{Schedule: s, Offset: time.Duration(random.IntN(3600)) * time.Second, Since: begin}
		ran, missed := map[time.Time]bool{}, 0
		for in.Now = begin; in.Now.Before(begin.AddDate(0, 0, 5)); {
			in.Now = in.Now.Add(time.Duration(1+random.IntN(5*3600)) * time.Second)
			d := Decide(in)
			if !d.Tick.IsZero() {
				if ran[d.Tick] {
					t.Fatalf("%s runs twice", d.Tick)
				}
				ran[d.Tick] = true
			}
			if !d.Next.After(in.Now) {
				t.Fatalf("at %s the next run is at %s", in.Now, d.Next)
			}
			missed += d.Missed
			in.Since = d.Since
		}
		if all := s.Count(begin, in.Now.Add(-in.Offset), 1e6); all != len(ran)+missed {
			t.Fatalf("%d ticks, but %d ran and %d were missed", all, len(ran), missed)
		}
	}
}
