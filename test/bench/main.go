// Command bench measures the propagation engine on real control planes: it
// creates federated objects on a host with members, updates all of them, changes
// single ones, makes them drift, restarts the controller and deletes everything.
//
// Beside each phase it has plain client-go do the same writes to the same
// members with the same concurrency, in the same run. That raw floor is what the
// API servers can take; the ratio to it is the result. Absolute times only say
// how fast the machine was.
//
//	make bench
//	go run ./test/bench --objects 2000 --members 5 --json result.json
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/test/benchkit"
)

type options struct {
	objects, members, changes, concurrency int
	binDir, jsonPath                       string
	verbose                                bool
}

func main() { benchkit.Main(command) }

func command(ctx context.Context) error {
	var o options
	pflag.IntVar(&o.objects, "objects", 1000, "Federated objects to create.")
	pflag.IntVar(&o.members, "members", 3, "Member clusters; every object goes to all of them.")
	pflag.IntVar(&o.changes, "changes", 100, "Single changes whose latency is measured.")
	pflag.IntVar(&o.concurrency, "concurrency", 16, "Requests at a time to one cluster by the raw floor; the controller has the same.")
	pflag.StringVar(&o.binDir, "bin", "bin", "Directory of the programs fedctl, controller and kubernetes.")
	pflag.StringVar(&o.jsonPath, "json", "", "File that gets the results as JSON.")
	pflag.BoolVarP(&o.verbose, "verbose", "v", false, "Show what the clusters and the controller print.")
	pflag.Parse()
	return run(ctx, o)
}

func run(ctx context.Context, o options) error {
	if o.objects < 1 || o.members < 1 || o.changes < 1 || o.concurrency < 1 {
		return fmt.Errorf("--objects, --members, --changes and --concurrency must be at least 1")
	}
	b, err := setUp(ctx, o)
	if b != nil {
		defer b.tearDown()
	}
	if err != nil {
		return err
	}
	report, err := b.measure(ctx)
	if err != nil {
		return err
	}
	report.print(os.Stdout)
	return benchkit.WriteJSON(o.jsonPath, report)
}
