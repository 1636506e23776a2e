package retention

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// Run is a run whose data is in the repository.
type Run struct {
	Name string
	// Time that the data is of.
	Time time.Time
	// Good runs saved everything they should.
	Good bool
}

// Verdict says what becomes of a run, and why.
type Verdict struct {
	Run
	Keep bool
	// Reason is a few words, such as "daily 3 of 7".
	Reason string
}

// Apply decides about all runs of one Backup and returns the verdicts, newest
// first. Rules that count days and longer do so in the given time zone, which is
// the schedule's. Without a rule that keeps something everything is kept, as far as
// maxAge allows. A rule counts the hours, days … that have a good run, so that a
// time without runs uses nothing up.
//
// Whatever the rules say, the newest good runs are kept: minGood of them, at least one.
//
// A run of the future is of a clock that was wrong, and nobody knows how old it is. It is
// kept, and takes no other run's place: else it would be the newest for as long as its
// time has not come, and every new run would be removed as soon as it was made.
func Apply(runs []Run, rules *v1alpha1.Retention, now time.Time, zone *time.Location) []Verdict {
	if rules == nil {
		rules = &v1alpha1.Retention{}
	}
	all := newestFirst(runs)
	verdicts := all[keepAhead(all, now):]
	none := true
	for _, rule := range rulesOf(rules, zone) {
		if rule.keep > 0 {
			none = false
			rule.apply(verdicts)
		}
	}
	for i := range verdicts {
		if v := &verdicts[i]; none {
			v.Keep, v.Reason = true, "no rule asks for removal"
		} else if !v.Keep {
			v.Reason = "no rule keeps it"
		}
	}
	if rules.MaxAge != nil {
		removeOlder(verdicts, now, rules.MaxAge.Duration)
	}
	keepGood(verdicts, rules.MinGood)
	return all
}

// maxSkew is how far the clocks of two machines may differ.
const maxSkew = 5 * time.Minute

// keepAhead keeps the runs of the future, which come first, and counts them.
func keepAhead(verdicts []Verdict, now time.Time) (count int) {
	for i := range verdicts {
		v := &verdicts[i]
		if !v.Time.After(now.Add(maxSkew)) {
			break
		}
		v.Keep, v.Reason = true, "its time is to come: a clock was wrong"
		count++
	}
	return count
}

func newestFirst(runs []Run) []Verdict {
	verdicts := make([]Verdict, 0, len(runs))
	for _, run := range runs {
		verdicts = append(verdicts, Verdict{Run: run})
	}
	slices.SortStableFunc(verdicts, func(a, b Verdict) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.Name, a.Name))
	})
	return verdicts
}

// removeOlder lets a rule that keeps a run be overruled by its age.
func removeOlder(verdicts []Verdict, now time.Time, age time.Duration) {
	for i := range verdicts {
		if v := &verdicts[i]; now.Sub(v.Time) > age {
			v.Keep, v.Reason = false, fmt.Sprintf("older than maxAge %s", age)
		}
	}
}

// keepGood keeps the newest good runs; where there is none, the newest that is not.
func keepGood(verdicts []Verdict, minGood *int32) {
	floor := 1
	if minGood != nil {
		floor = max(floor, int(*minGood))
	}
	good := 0
	for i := range verdicts {
		v := &verdicts[i]
		if !v.Good || good == floor {
			continue
		}
		if good++; !v.Keep {
			v.Keep, v.Reason = true, fmt.Sprintf("minGood %d of %d", good, floor)
		}
	}
	if good == 0 && len(verdicts) > 0 && !verdicts[0].Keep {
		verdicts[0].Keep, verdicts[0].Reason = true, "there is no good run"
	}
}
