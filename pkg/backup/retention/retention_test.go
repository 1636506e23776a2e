package retention

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse("2006-01-02 15:04Z07:00", text+"Z")
	if err != nil {
		if parsed, err = time.Parse("2006-01-02 15:04Z07:00", text); err != nil {
			t.Fatal(err)
		}
	}
	return parsed
}

// runsAt reads "2026-01-01 02:30" as a good run and "!2026-01-01 02:30" as one that is not.
func runsAt(t *testing.T, texts ...string) []Run {
	t.Helper()
	var runs []Run
	for _, text := range texts {
		when, bad := strings.CutPrefix(text, "!")
		runs = append(runs, Run{Name: text, Time: at(t, when), Good: !bad})
	}
	return runs
}

func TestApply(t *testing.T) {
	n := ptr.To[int32]
	for _, tc := range []struct {
		name  string
		rules *v1alpha1.Retention
		zone  string
		runs  []string
		want  []string // kept, each "name: reason"
	}{
		{name: "no rules at all", runs: []string{"2020-01-01 00:00", "!2020-01-02 00:00"},
			want: []string{"!2020-01-02 00:00: no rule asks for removal", "2020-01-01 00:00: no rule asks for removal"}},
		{name: "rules of zero are none", rules: &v1alpha1.Retention{Daily: n(0)}, runs: []string{"2020-01-01 00:00", "2020-01-02 00:00"},
			want: []string{"2020-01-02 00:00: no rule asks for removal", "2020-01-01 00:00: no rule asks for removal"}},
		{name: "nothing there", rules: &v1alpha1.Retention{Daily: n(1)}},
		{name: "last", rules: &v1alpha1.Retention{Last: n(2)}, runs: []string{"2026-01-01 00:00", "2026-01-01 00:01", "2026-01-01 00:02"},
			want: []string{"2026-01-01 00:02: last 1 of 2", "2026-01-01 00:01: last 2 of 2"}},
		{name: "daily keeps the newest of a day", rules: &v1alpha1.Retention{Daily: n(2)},
			runs: []string{"2026-01-01 00:00", "2026-01-01 12:00", "2026-01-02 00:00", "2026-01-02 12:00"},
			want: []string{"2026-01-02 12:00: daily 1 of 2", "2026-01-01 12:00: daily 2 of 2"}},
		{name: "days without runs use nothing up", rules: &v1alpha1.Retention{Daily: n(2)},
			runs: []string{"2025-06-01 00:00", "2025-12-01 00:00", "2026-01-01 00:00"},
			want: []string{"2026-01-01 00:00: daily 1 of 2", "2025-12-01 00:00: daily 2 of 2"}},
		{name: "rules add up", rules: &v1alpha1.Retention{Last: n(1), Weekly: n(2), Yearly: n(2)},
			runs: []string{"2024-12-31 00:00", "2025-12-20 00:00", "2025-12-27 00:00", "2025-12-28 00:00", "2025-12-31 00:00", "2026-01-01 00:00"},
			want: []string{"2026-01-01 00:00: last 1 of 1", "2025-12-31 00:00: yearly 2 of 2", "2025-12-28 00:00: weekly 2 of 2"}},
		{name: "days are the zone's", rules: &v1alpha1.Retention{Daily: n(2)}, zone: "America/New_York",
			runs: []string{"2026-01-01 04:00", "2026-01-01 06:00", "2026-01-02 04:30"},
			want: []string{"2026-01-02 04:30: daily 1 of 2", "2026-01-01 04:00: daily 2 of 2"}},
		{name: "an hour that exists twice is two", rules: &v1alpha1.Retention{Hourly: n(2)}, zone: "Europe/Berlin",
			runs: []string{"2025-10-26 00:30", "2025-10-26 01:30"},
			want: []string{"2025-10-26 01:30: hourly 1 of 2", "2025-10-26 00:30: hourly 2 of 2"}},
		{name: "a week over new year is one", rules: &v1alpha1.Retention{Weekly: n(1)},
			runs: []string{"2025-12-29 00:00", "2026-01-04 00:00"}, want: []string{"2026-01-04 00:00: weekly 1 of 1"}},
		{name: "maxAge alone", rules: &v1alpha1.Retention{MaxAge: &metav1.Duration{Duration: 48 * time.Hour}},
			runs: []string{"2026-01-28 23:59", "2026-01-29 00:00", "2026-01-30 00:00"},
			want: []string{"2026-01-30 00:00: no rule asks for removal", "2026-01-29 00:00: no rule asks for removal"}},
		{name: "maxAge beats rules", rules: &v1alpha1.Retention{Yearly: n(5), MaxAge: &metav1.Duration{Duration: 48 * time.Hour}},
			runs: []string{"2024-01-30 00:00", "2025-01-30 00:00", "2026-01-30 00:00"}, want: []string{"2026-01-30 00:00: yearly 1 of 5"}},
		{name: "the last good run stays however old", rules: &v1alpha1.Retention{MaxAge: &metav1.Duration{Duration: 48 * time.Hour}},
			runs: []string{"2020-01-30 00:00", "2021-01-30 00:00", "!2022-01-30 00:00"}, want: []string{"2021-01-30 00:00: minGood 1 of 1"}},
		{name: "minGood beats maxAge and rules", rules: &v1alpha1.Retention{Last: n(1), MinGood: n(3), MaxAge: &metav1.Duration{Duration: time.Hour}},
			runs: []string{"2020-01-30 00:00", "2021-01-30 00:00", "2022-01-30 00:00", "2023-01-30 00:00"},
			want: []string{"2023-01-30 00:00: minGood 1 of 3", "2022-01-30 00:00: minGood 2 of 3", "2021-01-30 00:00: minGood 3 of 3"}},
		{name: "runs that are not good push none out", rules: &v1alpha1.Retention{Last: n(2)},
			runs: []string{"2026-01-01 00:00", "2026-01-02 00:00", "!2026-01-03 00:00", "!2026-01-04 00:00", "!2026-01-05 00:00"},
			want: []string{"!2026-01-05 00:00: last, in place of a good run", "!2026-01-04 00:00: last, in place of a good run",
				"2026-01-02 00:00: last 1 of 2", "2026-01-01 00:00: last 2 of 2"}},
		{name: "a good run of the day makes the other one superfluous", rules: &v1alpha1.Retention{Daily: n(2)},
			runs: []string{"2026-01-01 00:00", "!2026-01-01 12:00", "!2026-01-02 12:00", "2026-01-03 00:00"},
			want: []string{"2026-01-03 00:00: daily 1 of 2", "!2026-01-02 12:00: daily, in place of a good run", "2026-01-01 00:00: daily 2 of 2"}},
		{name: "none is good: the newest stays", rules: &v1alpha1.Retention{MaxAge: &metav1.Duration{Duration: time.Hour}},
			runs: []string{"!2026-01-01 00:00", "!2026-01-02 00:00"}, want: []string{"!2026-01-02 00:00: there is no good run"}},
		{name: "a run of the future takes no other one's place", rules: &v1alpha1.Retention{Last: n(1)},
			runs: []string{"2027-01-01 00:00", "2026-01-29 00:00", "2026-01-28 00:00"},
			want: []string{"2027-01-01 00:00: its time is to come: a clock was wrong", "2026-01-29 00:00: last 1 of 1"}},
		{name: "a run of a clock that is a little ahead counts as new", rules: &v1alpha1.Retention{Last: n(1)},
			runs: []string{"2026-01-31 00:04", "2026-01-29 00:00"}, want: []string{"2026-01-31 00:04: last 1 of 1"}},
		{name: "a run of the future is not the good one that stays", rules: &v1alpha1.Retention{MaxAge: &metav1.Duration{Duration: time.Hour}},
			runs: []string{"2027-01-01 00:00", "2026-01-29 00:00"},
			want: []string{"2027-01-01 00:00: its time is to come: a clock was wrong", "2026-01-29 00:00: minGood 1 of 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			zone, err := time.LoadLocation(tc.zone)
			if err != nil {
				t.Fatal(err)
			}
			var kept []string
			for _, v := range Apply(runsAt(t, tc.runs...), tc.rules, at(t, "2026-01-31 00:00"), zone) {
				if v.Reason == "" {
					t.Errorf("%s: no reason", v.Name)
				}
				if v.Keep {
					kept = append(kept, v.Name+": "+v.Reason)
				}
			}
			if !slices.Equal(kept, tc.want) {
				t.Errorf("kept:\n got %s\nwant %s", strings.Join(kept, "\n     "), strings.Join(tc.want, "\n     "))
			}
		})
	}
}

// A simulated year: a run every six hours, with retention after each, as an
// executor does it. Failures come in streaks. What was removed never comes back,
// so that a wrong verdict on any day shows in the end.
func TestYear(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	n := ptr.To[int32]
	rules := &v1alpha1.Retention{Last: n(4), Daily: n(7), Weekly: n(5), Monthly: n(12), MinGood: n(3)}
	stored := []Run{}
	begin := time.Date(2026, 1, 1, 2, 30, 0, 0, zone)
	now := begin
	for i := 0; now.Before(begin.AddDate(1, 0, 0)); i++ {
		now = begin.Add(time.Duration(i) * 6 * time.Hour)
		streak := i % 40
		run := Run{Name: fmt.Sprint(i), Time: now, Good: streak < 30}
		if streak < 36 { // the others failed and stored nothing
			stored = append(stored, run)
		}
		goodBefore := goodOf(stored)
		verdicts := Apply(stored, rules, now, zone)
		stored = stored[:0]
		for _, v := range verdicts {
			if v.Keep {
				stored = append(stored, v.Run)
			}
		}
		if good := goodOf(stored); good < min(3, goodBefore) {
			t.Fatalf("%s: %d good runs are left of %d", now, good, goodBefore)
		}
		if len(stored) > 2*(4+7+5+12)+3 {
			t.Fatalf("%s: %d runs are stored", now, len(stored))
		}
	}
	months, days := map[string]bool{}, map[string]bool{}
	for _, run := range stored {
		if run.Good {
			months[run.Time.In(zone).Format("2006-01")] = true
			days[run.Time.In(zone).Format(time.DateOnly)] = true
		}
	}
	if len(months) != 12 {
		t.Errorf("good runs of %d months are left, want 12", len(months))
	}
	if len(days) < 7+12-1 {
		t.Errorf("good runs of %d days are left, want those of a week and of 11 months", len(days))
	}
}

func goodOf(runs []Run) int {
	n := 0
	for _, run := range runs {
		if run.Good {
			n++
		}
	}
	return n
}

func TestRecords(t *testing.T) {
	runs := runsAt(t, "!2026-01-01 00:00", "!2026-01-03 00:00", "!2026-01-02 00:00")
	got := Records(runs, 2)
	if len(got) != 1 || got[0].Name != "!2026-01-01 00:00" {
		t.Errorf("Records = %v, want the oldest", got)
	}
	if got := Records(runs, 5); len(got) != 0 {
		t.Errorf("Records = %v, want none", got)
	}
}

// Whatever the rules and the runs: the newest good runs stay, and a run that is not
// good makes no difference to any that is.
func TestProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	now := at(t, "2026-06-01 00:00")
	some := func() *int32 {
		if random.IntN(2) == 0 {
			return nil
		}
		return ptr.To(random.Int32N(5))
	}
	for range 5000 {
		rules := &v1alpha1.Retention{Last: some(), Hourly: some(), Daily: some(), Weekly: some(), Monthly: some(), Yearly: some(), MinGood: some()}
		if random.IntN(2) == 0 {
			rules.MaxAge = &metav1.Duration{Duration: time.Duration(random.IntN(1000)) * time.Hour}
		}
		var all, good []Run
		for i := range random.IntN(30) {
			run := Run{Name: fmt.Sprint(i), Time: now.Add(-time.Duration(random.IntN(5000)) * time.Hour), Good: random.IntN(3) > 0}
			all = append(all, run)
			if run.Good {
				good = append(good, run)
			}
		}
		left := func(runs []Run) (names []string) {
			for _, v := range Apply(runs, rules, now, time.UTC) {
				if v.Keep && v.Good {
					names = append(names, v.Name)
				}
			}
			return names
		}
		kept := left(all)
		if without := left(good); !slices.Equal(kept, without) {
			t.Fatalf("%+v: of %v the good runs %v are kept, without the others %v", rules, all, kept, without)
		}
		floor := 1
		if rules.MinGood != nil {
			floor = max(1, int(*rules.MinGood))
		}
		var newest []string
		for _, v := range newestFirst(good)[:min(floor, len(good))] {
			newest = append(newest, v.Name)
		}
		if len(kept) < len(newest) || !slices.Equal(kept[:len(newest)], newest) {
			t.Fatalf("%+v: of %v the good runs %v are kept, want at least %v", rules, all, kept, newest)
		}
	}
}
