package retention

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// A rule keeps the newest run of each of a number of buckets.
type rule struct {
	name   string
	keep   int
	bucket func(Run) string
}

func rulesOf(r *v1alpha1.Retention, zone *time.Location) []rule {
	// The offset keeps apart an hour that exists twice.
	layout := func(text string) func(Run) string {
		return func(run Run) string { return run.Time.In(zone).Format(text) }
	}
	return []rule{
		{"last", count(r.Last), func(run Run) string { return strconv.FormatInt(run.Time.UnixNano(), 10) + run.Name }},
		{"hourly", count(r.Hourly), layout("2006-01-02 15 -07:00")},
		{"daily", count(r.Daily), layout(time.DateOnly)},
		{"weekly", count(r.Weekly), func(run Run) string {
			year, week := run.Time.In(zone).ISOWeek()
			return fmt.Sprintf("%d-%02d", year, week)
		}},
		{"monthly", count(r.Monthly), layout("2006-01")},
		{"yearly", count(r.Yearly), layout("2006")},
	}
}

func count(n *int32) int {
	if n == nil {
		return 0
	}
	return int(*n)
}

// apply marks what the rule keeps; verdicts are sorted, newest first. Runs that are
// not good are kept between the good ones that the rule keeps, one for each bucket
// that has no good one, and no more of them than the rule asks for.
func (r rule) apply(verdicts []Verdict) {
	good := map[string]bool{}
	for _, v := range verdicts {
		if v.Good {
			good[r.bucket(v.Run)] = true
		}
	}
	kept, stood := map[string]bool{}, map[string]bool{}
	for i := range verdicts {
		v := &verdicts[i]
		bucket := r.bucket(v.Run)
		switch {
		case v.Good && !kept[bucket]:
			if len(kept) == r.keep {
				return
			}
			kept[bucket] = true
			v.mark(fmt.Sprintf("%s %d of %d", r.name, len(kept), r.keep))
		case !v.Good && !good[bucket] && !stood[bucket] && len(kept) < r.keep && len(stood) < r.keep:
			stood[bucket] = true
			v.mark(r.name + ", in place of a good run")
		}
	}
}

// mark keeps a run; the first rule that does gives the reason.
func (v *Verdict) mark(reason string) {
	if !v.Keep {
		v.Keep, v.Reason = true, reason
	}
}
