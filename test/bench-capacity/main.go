// Command bench-capacity measures what the controller holds of a large member: nodes, and pods
// while somebody wants to know what is free. The member is a real control plane, whose nodes and
// pods are objects of the size that providers make; nothing runs on them.
//
// What is measured is the heap that the controller's own garbage collector finds alive, which it
// prints with GODEBUG=gctrace=1: before there are nodes, with the nodes, and with the pods as
// well. What a Go program holds beside that depends on GOGC and is not the reader's.
//
//	make bench-capacity
//	go run ./test/bench-capacity --nodes 1000 --pods 20000
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/test/benchkit"
)

type options struct {
	nodes, pods, workers int
	binDir, jsonPath     string
	verbose              bool
}

// result is what is printed, in bytes.
type result struct {
	Nodes      int   `json:"nodes"`
	Pods       int   `json:"pods"`
	Idle       int64 `json:"heapWithoutNodes"`
	WithNodes  int64 `json:"heapWithNodes"`
	WithPods   int64 `json:"heapWithPods"`
	ListedPods int64 `json:"millisecondsUntilPodsAreKnown"`
}

// budget is what one member with 5,000 nodes and 100,000 pods may take.
const budget = 40 << 20

func main() { benchkit.Main(command) }

func command(ctx context.Context) error {
	var o options
	pflag.IntVar(&o.nodes, "nodes", 5000, "Nodes of the member.")
	pflag.IntVar(&o.pods, "pods", 100000, "Pods on them.")
	pflag.IntVar(&o.workers, "workers", 32, "Requests at a time, to make them.")
	pflag.StringVar(&o.binDir, "bin", "bin", "Where the programs are.")
	pflag.StringVar(&o.jsonPath, "json", "", "File that gets the result as JSON.")
	pflag.BoolVarP(&o.verbose, "verbose", "v", false, "Show what the programs print.")
	pflag.Parse()
	if o.nodes < 1 || o.pods < 1 || o.workers < 1 {
		return errors.New("--nodes, --pods and --workers must be at least 1")
	}
	dir, err := os.MkdirTemp("", "fedctl-bench-capacity-")
	if err != nil {
		return err
	}
	b := &bench{options: o, dir: dir}
	r, err := b.measure(ctx)
	if err := errors.Join(err, b.tearDown(context.WithoutCancel(ctx)), os.RemoveAll(dir)); err != nil {
		return err
	}
	r.print()
	return benchkit.WriteJSON(o.jsonPath, r)
}

// measure makes the member grow, step by step.
func (b *bench) measure(ctx context.Context) (r result, err error) {
	r = result{Nodes: b.nodes, Pods: b.pods}
	if err := b.setUp(ctx); err != nil {
		return r, err
	}
	if r.Idle, err = b.heap(ctx); err != nil {
		return r, err
	}
	step("Making %d nodes", b.nodes)
	if err := b.each(ctx, b.nodes, b.makeNode); err != nil {
		return r, err
	}
	if err := b.until(ctx, "the nodes are known", func(c *capacity) bool { return int(c.Status.Nodes) == b.nodes }); err != nil {
		return r, err
	}
	if r.WithNodes, err = b.heap(ctx); err != nil {
		return r, err
	}
	step("Making %d pods", b.pods)
	if err := b.each(ctx, b.pods, b.makePod); err != nil {
		return r, err
	}
	begun := time.Now()
	if err := b.follow(ctx); err != nil {
		return r, err
	}
	if err := b.until(ctx, "all pods are known", func(c *capacity) bool { return requestedPods(c) == int64(b.pods) }); err != nil {
		return r, err
	}
	r.ListedPods = time.Since(begun).Milliseconds()
	r.WithPods, err = b.heap(ctx)
	return r, err
}

func (r *result) print() {
	mib := func(bytes int64) float64 { return float64(bytes) / (1 << 20) }
	fmt.Printf(`
%d nodes and %d pods of one member, in the controller's heap
without them  %6.1f MiB
nodes         %6.1f MiB more
pods          %6.1f MiB more, known after %.1f s
together      %6.1f MiB, of %.0f MiB for 5,000 nodes and 100,000 pods
`, r.Nodes, r.Pods, mib(r.Idle), mib(r.WithNodes-r.Idle), mib(r.WithPods-r.WithNodes), float64(r.ListedPods)/1000, mib(r.WithPods-r.Idle), mib(budget))
}

func step(format string, args ...any) {
	fmt.Printf("%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func (b *bench) program(name string) string { return filepath.Join(b.binDir, name) }
