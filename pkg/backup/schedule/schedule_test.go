package schedule

import (
	"strings"
	"testing"
	"time"
)

func mustParse(t *testing.T, expression, zone string) *Schedule {
	t.Helper()
	s, err := Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// local reads a time in the schedule's zone; an instant that exists twice is
// written with its offset.
func local(t *testing.T, s *Schedule, text string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, s.zone); err == nil {
			return at
		}
	}
	t.Fatalf("%q is not a time", text)
	return time.Time{}
}

func ticks(s *Schedule, after time.Time, n int) []string {
	var list []string
	for range n {
		after = s.Next(after)
		if after.IsZero() {
			return append(list, "never")
		}
		list = append(list, after.Format("01-02 15:04Z07:00"))
	}
	return list
}

func TestNext(t *testing.T) {
	for _, tc := range []struct {
		name, expression, zone, after string
		want                          string
	}{
		{"plain", "30 2 * * *", "", "2026-01-01 02:30", "01-02 02:30Z 01-03 02:30Z"},
		{"strictly after, to the second", "30 2 * * *", "", "2026-01-01 02:29:59", "01-01 02:30Z"},
		{"@daily is a fixed time", "@daily", "Europe/Berlin", "2026-03-28 12:00", "03-29 00:00+01:00 03-30 00:00+02:00"},
		{"29 February", "0 0 29 2 *", "", "2026-01-01 00:00", "02-29 00:00Z 02-29 00:00Z"},
		{"29 February over a century without one", "0 0 29 2 *", "", "2096-03-01 00:00", "02-29 00:00Z"},
		{"day of month or of week", "0 0 13 * FRI", "", "2026-02-01 00:00", "02-06 00:00Z 02-13 00:00Z 02-20 00:00Z"},

		{"Berlin, forward: a time that does not exist runs an hour later", "30 2 * * *", "Europe/Berlin", "2026-03-28 03:00",
			"03-29 03:30+02:00 03-30 02:30+02:00"},
		{"Berlin, back: a time that exists twice runs the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24 03:00",
			"10-25 02:30+02:00 10-26 02:30+01:00"},
		{"Berlin, forward: the last moment before and the first after", "59 1 * * *", "Europe/Berlin", "2026-03-29 00:00", "03-29 01:59+01:00"},
		{"Berlin, forward: the shifted time and one that is there are one run", "0 2,3 * * *", "Europe/Berlin", "2026-03-28 12:00",
			"03-29 03:00+02:00 03-30 02:00+02:00"},
		{"Berlin, forward: several times in the missing hour", "*/20 2 * * *", "Europe/Berlin", "2026-03-28 12:00",
			"03-29 03:00+02:00 03-29 03:20+02:00 03-29 03:40+02:00 03-30 02:00+02:00"},
		{"Berlin, forward: shifted between others", "30 2,3 * * *", "Europe/Berlin", "2026-03-28 12:00",
			"03-29 03:30+02:00 03-30 02:30+02:00"},
		{"Berlin, back: several times in the double hour", "*/30 2 * * *", "Europe/Berlin", "2026-10-24 12:00",
			"10-25 02:00+02:00 10-25 02:30+02:00 10-26 02:00+01:00"},
		{"Berlin, back, asked within the second pass", "30 2 * * *", "Europe/Berlin", "2026-10-25 02:10+01:00", "10-26 02:30+01:00"},
		{"Berlin, forward: hourly keeps its spacing", "0 * * * *", "Europe/Berlin", "2026-03-29 00:30",
			"03-29 01:00+01:00 03-29 03:00+02:00 03-29 04:00+02:00"},
		{"Berlin, back: hourly keeps its spacing", "0 * * * *", "Europe/Berlin", "2026-10-25 01:30+02:00",
			"10-25 02:00+02:00 10-25 02:00+01:00 10-25 03:00+01:00"},
		{"Berlin, back: @hourly too", "@hourly", "Europe/Berlin", "2026-10-25 01:30+02:00",
			"10-25 02:00+02:00 10-25 02:00+01:00 10-25 03:00+01:00"},
		{"Berlin, back: a quarter of an hour", "*/15 * * * *", "Europe/Berlin", "2026-10-25 02:30+02:00",
			"10-25 02:45+02:00 10-25 02:00+01:00 10-25 02:15+01:00"},
		{"Berlin, forward: every two hours leaves no gap of three", "0 */2 * * *", "Europe/Berlin", "2026-03-28 23:00",
			"03-29 00:00+01:00 03-29 03:00+02:00 03-29 04:00+02:00"},
		{"Berlin, back: every two hours leaves no gap of three", "0 */2 * * *", "Europe/Berlin", "2026-10-24 23:00",
			"10-25 00:00+02:00 10-25 02:00+02:00 10-25 02:00+01:00 10-25 04:00+01:00"},

		{"New York", "30 2 * * *", "America/New_York", "2026-03-07 12:00", "03-08 03:30-04:00 03-09 02:30-04:00"},
		{"New York, back", "30 1 * * *", "America/New_York", "2026-10-31 12:00", "11-01 01:30-04:00 11-02 01:30-05:00"},
		{"Sydney, southern: forward in October", "30 2 * * *", "Australia/Sydney", "2026-10-03 12:00", "10-04 03:30+11:00 10-05 02:30+11:00"},
		{"Sydney, southern: back in April", "30 2 * * *", "Australia/Sydney", "2026-04-04 12:00", "04-05 02:30+11:00 04-06 02:30+10:00"},
		{"Lord Howe goes forward by half an hour", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", "10-04 02:45+11:00 10-05 02:15+11:00"},
		{"Lord Howe goes back by half an hour", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", "04-05 01:45+11:00 04-06 01:45+10:30"},
		{"Lord Howe, every half hour", "*/30 * * * *", "Australia/Lord_Howe", "2026-04-05 01:00+11:00",
			"04-05 01:30+11:00 04-05 01:30+10:30 04-05 02:00+10:30"},
		{"Apia leaves out a whole day", "30 2 * * *", "Pacific/Apia", "2011-12-29 01:00", "12-29 02:30-10:00 12-31 02:30+14:00 01-01 02:30+14:00"},
		{"Kwajalein leaves out a whole day, late in the evening", "0 22 * * *", "Pacific/Kwajalein", "1993-08-19 23:00", "08-20 22:00-12:00 08-22 22:00+12:00"},
		{"São Paulo goes forward at midnight", "0 0 * * *", "America/Sao_Paulo", "2018-11-03 12:00", "11-04 01:00-02:00 11-05 00:00-02:00"},
		{"São Paulo goes back at midnight: the day before has 23:30 twice", "30 23 * * *", "America/Sao_Paulo", "2018-02-17 12:00",
			"02-17 23:30-02:00 02-18 23:30-03:00"},
		{"Cairo goes forward at midnight", "@midnight", "Africa/Cairo", "2026-04-23 12:00", "04-24 01:00+03:00 04-25 00:00+03:00"},
		{"Cairo goes back at midnight", "30 23 * * *", "Africa/Cairo", "2026-10-29 12:00", "10-29 23:30+03:00 10-30 23:30+02:00"},
		{"Casablanca goes back in spring, for Ramadan", "30 2 * * *", "Africa/Casablanca", "2026-02-14 12:00", "02-15 02:30+01:00 02-16 02:30Z"},
		{"Kathmandu has a quarter", "30 2 * * *", "Asia/Kathmandu", "2026-01-01 00:00", "01-01 02:30+05:45"},
		{"far in the future the rules go on", "30 2 * * *", "Europe/Berlin", "2090-03-25 12:00", "03-26 03:30+02:00 03-27 02:30+02:00"},

		{"every 90 minutes, from 1970", "@every 90m", "", "2026-01-01 00:00", "01-01 01:30Z 01-01 03:00Z"},
		{"every 6 hours does not see the clock change", "@every 6h", "Europe/Berlin", "2026-03-29 00:00", "03-29 01:00+01:00 03-29 08:00+02:00"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := mustParse(t, tc.expression, tc.zone)
			want := strings.Split(tc.want, " ")
			var joined []string
			for i := 0; i < len(want); i += 2 {
				joined = append(joined, want[i]+" "+want[i+1])
			}
			got := ticks(s, local(t, s, tc.after), len(joined))
			if strings.Join(got, " ") != tc.want {
				t.Errorf("Next:\n got %v\nwant %v", got, joined)
			}
		})
	}
}

func TestNextEveryBefore1970(t *testing.T) {
	s := mustParse(t, "@every 10s", "")
	if got := s.Next(time.Unix(-15, 0)).Unix(); got != -10 {
		t.Errorf("Next(-15) = %d, want -10", got)
	}
	if got := s.Next(time.Unix(-10, 0)).Unix(); got != 0 {
		t.Errorf("Next(-10) = %d, want 0", got)
	}
}

func TestLast(t *testing.T) {
	for _, tc := range []struct{ name, expression, zone, at, want string }{
		{"at a tick", "30 2 * * *", "", "2026-01-01 02:30", "2026-01-01 02:30Z"},
		{"within the second of a tick", "30 2 * * *", "", "2026-01-01 02:30:00", "2026-01-01 02:30Z"},
		{"before it", "30 2 * * *", "", "2026-01-01 02:29:59", "2025-12-31 02:30Z"},
		{"yearly", "@yearly", "", "2026-11-22 00:00", "2026-01-01 00:00Z"},
		{"29 February", "0 0 29 2 *", "", "2028-02-28 00:00", "2024-02-29 00:00Z"},
		{"29 February over a century without one", "0 0 29 2 *", "", "2104-02-28 00:00", "2096-02-29 00:00Z"},
		{"after the missing hour", "30 2 * * *", "Europe/Berlin", "2026-03-29 03:29", "2026-03-28 02:30+01:00"},
		{"at the shifted time", "30 2 * * *", "Europe/Berlin", "2026-03-29 03:30", "2026-03-29 03:30+02:00"},
		{"second pass of the double hour", "30 2 * * *", "Europe/Berlin", "2026-10-25 02:40+01:00", "2026-10-25 02:30+02:00"},
		{"every 90 minutes", "@every 90m", "", "2026-01-01 01:30", "2026-01-01 01:30Z"},
		{"dense in January only", "* * * 1 *", "", "2026-12-31 00:00", "2026-01-31 23:59Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := mustParse(t, tc.expression, tc.zone)
			if got := s.Last(local(t, s, tc.at)).Format("2006-01-02 15:04Z07:00"); got != tc.want {
				t.Errorf("Last = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestCount(t *testing.T) {
	s := mustParse(t, "@hourly", "")
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		until       time.Duration
		limit, want int
	}{{0, 10, 0}, {time.Hour - 1, 10, 0}, {time.Hour, 10, 1}, {5*time.Hour + time.Minute, 10, 5}, {1000 * time.Hour, 10, 10}} {
		if got := s.Count(from, from.Add(tc.until), tc.limit); got != tc.want {
			t.Errorf("Count within %s, at most %d = %d, want %d", tc.until, tc.limit, got, tc.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ expression, zone, want string }{
		{"", "", "five fields"},
		{"* * * *", "", "five fields"},
		{"0 0 30 2 *", "", "no such day"},
		{"0 0 31 4,6 *", "", "no such day"},
		{"60 * * * *", "", "above maximum"},
		{"0 0 2 * * *", "", "five fields"},
		{"@reboot", "", "@reboot"},
		{"@every", "", "@every"},
		{"@every 0s", "", "at least 1s"},
		{"@every 999ms", "", "at least 1s"},
		{"@every -1h", "", "at least 1s"},
		{"@every 1 fortnight", "", "duration"},
		{"TZ=Europe/Berlin 0 0 * * *", "", "time zone belongs"},
		{"TZ=", "", "time zone belongs"},
		{"0 0 * * *", "Mars/Phobos", "IANA name"},
		{"0 0 * * *", "Local", "IANA name"},
		{"0 0 * * *", "../etc/passwd", "IANA name"},
	} {
		if _, err := Parse(tc.expression, tc.zone); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Parse(%q, %q): error %v, want one with %q", tc.expression, tc.zone, err, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range [][2]string{
		{"30 2 * * *", "Europe/Berlin"}, {"@every 1h", ""}, {"*/7 */5 1-9/2 JAN-MAR,12 sun", "Australia/Lord_Howe"},
		{"@weekly", "Pacific/Apia"}, {"? ? ? ? ?", "UTC"}, {"TZ=0", ""}, {"0 0 29 2 *", "America/Sao_Paulo"},
	} {
		f.Add(seed[0], seed[1], int64(1774746000))
	}
	f.Fuzz(func(t *testing.T, expression, zone string, at int64) {
		s, err := Parse(expression, zone)
		if err != nil || at < 0 || at > 4e9 {
			return
		}
		from := time.Unix(at, 0)
		next := s.Next(from)
		if next.IsZero() {
			return
		}
		if !next.After(from) {
			t.Fatalf("%q in %q: Next(%s) = %s", expression, zone, from, next)
		}
		if last := s.Last(next); !last.Equal(next) {
			t.Fatalf("%q in %q: Last(%s) = %s", expression, zone, next, last)
		}
	})
}
