// Command bench-backup measures a backup on a real control plane: many ConfigMaps are
// saved to a repository, again after a few have changed, and once more unchanged.
//
// Beside each run a plain paged LIST of the same objects by client-go, in the same
// place and with the same page size, is the floor: what reading them takes at least.
// The ratio to it is the result, and what a run adds to the repository. Each phase
// runs in a process of its own, whose peak memory is its own.
//
//	make bench-backup
//	go run ./test/bench-backup --objects 20000 --size 2048
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/benchkit"
)

type options struct {
	objects, size, changes, rounds int
	phase, dir, run, jsonPath      string
	profile                        string
}

func main() { benchkit.Main(command) }

func command(ctx context.Context) error {
	var o options
	pflag.IntVar(&o.objects, "objects", 20000, "ConfigMaps to save.")
	pflag.IntVar(&o.size, "size", 2048, "Bytes of data in each.")
	pflag.IntVar(&o.changes, "changes", 20, "Objects that change before the incremental run, spread evenly.")
	pflag.IntVar(&o.rounds, "rounds", 3, "How often everything is measured; the medians count.")
	pflag.StringVar(&o.jsonPath, "json", "", "File that gets the results as JSON.")
	pflag.StringVar(&o.profile, "cpuprofile", "", "File that gets a CPU profile of the last first run.")
	pflag.StringVar(&o.phase, "phase", "", "Run one phase; used by the program itself.")
	pflag.StringVar(&o.dir, "dir", "", "Directory of a phase; used by the program itself.")
	pflag.StringVar(&o.run, "run", "", "Name of a phase's run; used by the program itself.")
	for _, name := range []string{"phase", "dir", "run"} {
		if err := pflag.CommandLine.MarkHidden(name); err != nil {
			return err
		}
	}
	pflag.Parse()
	if o.objects < 1 || o.size < 1 || o.changes < 1 || o.rounds < 1 || o.changes > o.objects {
		return errors.New("--objects, --size, --changes and --rounds must be at least 1, and no more may change than there are")
	}
	if o.phase != "" {
		return runPhase(ctx, o)
	}
	return measure(ctx, o)
}

// result of a phase.
type result struct {
	Seconds float64 `json:"seconds"`
	Objects int64   `json:"objects"`
	Bytes   int64   `json:"bytes"`
	Stored  int64   `json:"storedBytes,omitempty"`
	// Peak is the most memory that the process had, in bytes.
	Peak int64 `json:"peakBytes"`
}

func measure(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "fedctl-bench-backup-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Println("starting a control plane …")
	fleet, err := localcluster.Up(ctx, localcluster.Options{Dir: filepath.Join(dir, "fleet"), Members: 1, DieWithParent: true,
		Without: []string{localcluster.Scheduler, localcluster.Kwok}})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, localcluster.Down(context.WithoutCancel(ctx), filepath.Join(dir, "fleet")))
	}()
	config, err := fleet.Config("member-1")
	if err != nil {
		return err
	}
	if err := writeConnection(filepath.Join(dir, "connection.json"), config); err != nil {
		return err
	}
	fmt.Printf("creating %d objects of %d bytes …\n", o.objects, o.size)
	if err := fill(ctx, config, o); err != nil {
		return err
	}
	results, err := rounds(ctx, o, dir)
	if err != nil {
		return err
	}
	return report(o, results)
}

// phases in the order in which they run. The floor is measured between the runs, so
// that it knows the same machine.
var phases = []string{"floor", "first", "floor", "changed", "floor", "unchanged"}

func rounds(ctx context.Context, o options, dir string) (map[string][]result, error) {
	results := map[string][]result{}
	for round := range o.rounds {
		repository := filepath.Join(dir, fmt.Sprintf("round-%d", round))
		if err := os.Mkdir(repository, 0o700); err != nil {
			return nil, err
		}
		for i, phase := range phases {
			if phase == "changed" {
				if err := change(ctx, dir, o, round); err != nil {
					return nil, err
				}
			}
			got, err := child(ctx, o, phase, repository, fmt.Sprintf("run-%d", i))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", phase, err)
			}
			results[phase] = append(results[phase], got)
			fmt.Printf("round %d  %-10s %6.2f s\n", round+1, phase, got.Seconds)
		}
	}
	return results, nil
}

func child(ctx context.Context, o options, phase, dir, run string) (result, error) {
	args := []string{"--phase", phase, "--dir", dir, "--run", run}
	if phase == "first" && o.profile != "" {
		args = append(args, "--cpuprofile", o.profile)
	}
	command := exec.CommandContext(ctx, os.Args[0], args...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return result{}, err
	}
	var got result
	return got, json.Unmarshal(out, &got)
}

func median(results []result) result {
	sorted := slices.Clone(results)
	slices.SortFunc(sorted, func(a, b result) int {
		switch {
		case a.Seconds < b.Seconds:
			return -1
		case a.Seconds > b.Seconds:
			return 1
		}
		return 0
	})
	middle := sorted[len(sorted)/2]
	for _, r := range results {
		middle.Peak = max(middle.Peak, r.Peak)
	}
	return middle
}

func report(o options, results map[string][]result) error {
	floor, first := median(results["floor"]), median(results["first"])
	fmt.Printf("\n%d objects of %d bytes of data, medians of %d rounds\n", o.objects, o.size, o.rounds)
	fmt.Println(strings.Repeat("─", 92))
	fmt.Printf("%-34s %8s %10s %8s %8s %10s %8s\n", "", "seconds", "objects/s", "MB/s", "of floor", "peak MiB", "written")
	medians := map[string]result{}
	for _, phase := range []struct{ name, title string }{
		{"floor", "a plain paged LIST (the floor)"},
		{"first", "first run"},
		{"changed", fmt.Sprintf("run after %d objects changed", o.changes)},
		{"unchanged", "run after no change"},
	} {
		m := median(results[phase.name])
		medians[phase.name] = m
		written := ""
		if phase.name != "floor" {
			written = fmt.Sprintf("%.2f %%", 100*float64(m.Stored)/float64(first.Stored))
		}
		fmt.Printf("%-34s %8.2f %10.0f %8.1f %8.2f %10.0f %8s\n", phase.title, m.Seconds, float64(m.Objects)/m.Seconds,
			float64(m.Bytes)/1e6/m.Seconds, m.Seconds/floor.Seconds, float64(m.Peak)/(1<<20), written)
	}
	fmt.Printf("\nwritten: bytes added to the repository, of those of the first run (%.1f MB for %.1f MB of objects)\n",
		float64(first.Stored)/1e6, float64(first.Bytes)/1e6)
	return benchkit.WriteJSON(o.jsonPath, medians)
}
