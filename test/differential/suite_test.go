// Package differential does the same things to two federations, KubeFed v0.10.0's and
// fedctl's, and compares what comes of them in the members and in the status of the
// federated objects.
//
// Each file of manifests is a case. meant.yaml lists the differences that are to be,
// known.yaml those that are to be mended; any other difference fails, and so does an
// entry of either list that is not seen any more.
package differential

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/test/differential/cases"
)

// reportEnv names a file that gets the report as Markdown.
const reportEnv = "FEDCTL_DIFFERENTIAL_REPORT"

func TestMain(m *testing.M) {
	flag.Parse()
	parallel := flag.Lookup("test.parallel")
	if parallel.Value.String() == parallel.DefValue {
		// A case waits more than it computes.
		if err := flag.Set("test.parallel", "20"); err != nil {
			panic(err)
		}
	}
	ctrl.SetLogger(klog.NewKlogr())
	os.Exit(m.Run())
}

// verdicts are what the cases have shown, by their names.
type verdicts struct {
	mu  sync.Mutex
	all map[string]*verdict
}

func TestDifferential(t *testing.T) {
	suite, err := cases.Read(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	both := startFleets(t)
	shown := &verdicts{all: map[string]*verdict{}}
	t.Run("cases", func(t *testing.T) {
		for _, c := range suite.Cases {
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				r := &run{Case: c, suite: suite, both: both, shown: shown}
				r.do(t)
			})
		}
	})
	finish(t, suite, shown)
}

// startFleets starts both federations, each with its own clusters.
func startFleets(t *testing.T) [2]*fleet {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	theirs, ours := &fleet{name: "KubeFed"}, &fleet{name: "fedctl"}
	both := [2]*fleet{theirs, ours}
	t.Cleanup(func() {
		for _, f := range both {
			if t.Failed() {
				t.Logf("end of the log of %s:\n%s", f.name, f.logTail())
			}
			if err := f.close(); err != nil {
				t.Error(err)
			}
		}
	})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return theirs.start(ctx, theirs.setUpKubeFed) })
	group.Go(func() error { return ours.start(ctx, ours.setUpFedctl) })
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return both
}

// finish says what all cases together show: entries that nothing has shown any more.
func finish(t *testing.T, suite *cases.Suite, shown *verdicts) {
	var ran []string
	for name, v := range shown.all {
		if v.complete {
			ran = append(ran, name)
		}
	}
	slices.Sort(ran)
	for _, entry := range suite.Known.Stale(ran, len(ran) == len(suite.Cases)) {
		t.Errorf("mended: take it out of known.yaml: %s", entry)
	}
	for _, entry := range suite.Meant.Stale(ran, len(ran) == len(suite.Cases)) {
		t.Errorf("no difference: take it out of meant.yaml: %s", entry)
	}
	report := &bytes.Buffer{}
	for _, name := range ran {
		v := shown.all[name]
		for _, d := range v.differences {
			fmt.Fprintf(report, "%-10s %s (step %d): %s\n", d.kind, name, d.step, d.Difference)
		}
	}
	alike := slices.DeleteFunc(slices.Clone(ran), func(name string) bool { return len(shown.all[name].differences) > 0 })
	t.Logf("%d cases, %d of them alike\n%s", len(ran), len(alike), report)
	if path := os.Getenv(reportEnv); path != "" {
		content := "# What differs from KubeFed\n\n" + cases.Table(suite) + "\n## Seen\n\n```\n" + strings.TrimSpace(report.String()) + "\n```\n"
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Error(err)
		}
	}
}
