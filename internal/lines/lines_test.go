package lines

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

func TestAppend(t *testing.T) {
	from := Source{Cluster: "oslo", Pod: "web-1", Container: "main"}
	for name, c := range map[string]struct {
		style Style
		line  string
		want  string
	}{
		"plain":                      {Style{}, "a\x1b[31mb", "[oslo/web-1/main] a\x1b[31mb\n"},
		"bare":                       {Style{Bare: true}, "a", "a\n"},
		"terminal":                   {Style{Terminal: true}, "a\tb ü 日", "[oslo/web-1/main] a\tb ü 日\n"},
		"terminal: escapes":          {Style{Terminal: true}, "\x1b]0;title\x07\x9bA\x7f", `[oslo/web-1/main] \x1b]0;title\x07\x9bA\x7f` + "\n"},
		"terminal: C1 in UTF-8":      {Style{Terminal: true}, "\u009b2J", `[oslo/web-1/main] \u009b2J` + "\n"},
		"terminal: goes back":        {Style{Terminal: true}, "hidden\rshown", `[oslo/web-1/main] hidden\x0dshown` + "\n"},
		"terminal: another order":    {Style{Terminal: true}, "a\u202eb\u2028", `[oslo/web-1/main] a\u202eb\u2028` + "\n"},
		"terminal: lines of Windows": {Style{Terminal: true}, "a\r", "[oslo/web-1/main] a\n"},
	} {
		if got := string(c.style.Append(nil, from, []byte(c.line))); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	colored := string(Style{Terminal: true, Color: true}.Append(nil, from, []byte("\x1b[0m")))
	if !strings.HasPrefix(colored, "\x1b[") || !strings.HasSuffix(colored, "[oslo/web-1/main]\x1b[0m \\x1b[0m\n") {
		t.Errorf("%q", colored)
	}
}

// What a source writes gets nowhere near the terminal's controls, whatever it is.
func FuzzHarmless(f *testing.F) {
	f.Add([]byte("\x1b[2J\x9b\xc2\x9b\xe2\x80\xae"))
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, r := range string(appendHarmless(nil, line)) {
			if r != '\t' && (r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x202e) {
				t.Errorf("%q leaves %q", line, r)
			}
		}
	})
}

func read(t *testing.T, r *Reader) (got []string) {
	t.Helper()
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return got
		} else if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s|%.40s|%d", line.Time.Format("15:04:05.000"), line.Text, len(line.Text)))
	}
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", Longest+10)
	got := read(t, NewReader(strings.NewReader("2026-01-01T10:00:00.123456789Z one\n\nno time\n2026-01-01T10:00:01Z \n"+long+"\nlast")))
	want := []string{"10:00:00.123|one|3", "10:00:00.123||0", "10:00:00.123|no time|7", "10:00:01.000||0"}
	if strings.Join(got[:4], "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, want %q", got[:4], want)
	}
	if len(got) != 7 || !strings.HasSuffix(got[6], "|last|4") {
		t.Errorf("a long line is %q", got[4:])
	}
	if _, err := NewReader(io.MultiReader(strings.NewReader("torn"), broken{})).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a source that breaks off ends with %v", err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestMergeIsByTimeAndKeepsTheOrderOfEachSource(t *testing.T) {
	of := func(cluster, text string) From {
		return From{Source{Cluster: cluster}, NewReader(strings.NewReader(text))}
	}
	var got []string
	var failed []Source
	err := Merge([]From{
		of("a", "2026-01-01T10:00:02Z a1\n2026-01-01T10:00:01Z a2\n2026-01-01T10:00:09Z a3\n"),
		of("b", "2026-01-01T10:00:02Z b1\n2026-01-01T10:00:05Z b2"),
		of("c", ""),
		{Source{Cluster: "d"}, NewReader(io.MultiReader(strings.NewReader("2026-01-01T10:00:03Z d1\n"), broken{}))},
	}, func(_ Source, line Line) error {
		got = append(got, string(line.Text))
		return nil
	}, func(from Source, _ error) { failed = append(failed, from) })
	if want := "a1 a2 b1 d1 b2 a3"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v %v, want %s", got, err, want)
	}
	if len(failed) != 1 || failed[0].Cluster != "d" {
		t.Errorf("failed: %v", failed)
	}
}

func TestMergeEndsWhereNobodyReads(t *testing.T) {
	full := errors.New("full")
	err := Merge([]From{{Source{}, NewReader(strings.NewReader("a\nb\n"))}}, func(Source, Line) error { return full }, nil)
	if !errors.Is(err, full) {
		t.Error(err)
	}
}

// chunks notes what it is given in one call.
type chunks struct{ all [][]byte }

func (c *chunks) Write(text []byte) (int, error) {
	c.all = append(c.all, bytes.Clone(text))
	return len(text), nil
}

func TestWritersTearNoLines(t *testing.T) {
	to := &chunks{}
	w := NewWriter(to, Style{}, false)
	var all sync.WaitGroup
	for _, cluster := range []string{"a", "b", "c"} {
		all.Go(func() {
			of := w.Of(Source{Cluster: cluster})
			for range 100 {
				for _, part := range []string{cluster, cluster + "\n" + cluster, "\n"} {
					_, _ = of.Write([]byte(part))
				}
			}
			_, _ = of.Write([]byte("end"))
			_ = of.Close()
		})
	}
	all.Wait()
	counts := map[string]int{}
	for _, chunk := range to.all {
		counts[string(chunk)]++
	}
	for _, cluster := range []string{"a", "b", "c"} {
		for line, want := range map[string]int{"[%s] " + strings.Repeat(cluster, 2) + "\n": 100, "[%s] " + cluster + "\n": 100, "[%s] end\n": 1} {
			if got := counts[fmt.Sprintf(line, cluster)]; got != want {
				t.Errorf("%q came %d times, want %d", fmt.Sprintf(line, cluster), got, want)
			}
		}
	}
	if len(to.all) != 3*201 {
		t.Errorf("%d calls for %d lines", len(to.all), 3*201)
	}
}

func TestALineWithoutAnEndIsBounded(t *testing.T) {
	to := &chunks{}
	of := NewWriter(to, Style{Bare: true}, false).Of(Source{})
	if _, err := of.Write(bytes.Repeat([]byte("x"), Longest+5)); err != nil || len(to.all) != 1 || len(to.all[0]) != Longest+1 {
		t.Errorf("%v, %d calls", err, len(to.all))
	}
	if err := of.Close(); err != nil || string(to.all[1]) != "xxxxx\n" {
		t.Errorf("%v %q", err, to.all[1])
	}
}
