// Command bench-fleet measures what it costs to reach a member through the API of the
// fleet: the same requests of plain client-go, through the host and directly, one after the
// other by turns, on real control planes. The ratios are the result; times only say how fast
// the machine was. The client is an administrator in both, with the same client certificate
// in the host as in the member; both connections are made before.
//
// It does so with a member on the host's machine, where the way costs nothing but processor
// time, and so each of the three servers that a request passes as much as the one that is
// asked directly; and with members that are some way away, from the client as from the host,
// as members are. Those are listed as one, too, and one after the other.
//
//	make bench-fleet
//	go run ./test/bench-fleet --requests 2000 --json result.json
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/test/benchkit"
)

type options struct {
	requests, lists, objects, size, parallel, watches, away int
	delay                                                   time.Duration
	profile, jsonPath                                       string
}

func main() { benchkit.Main(command) }

func command(ctx context.Context) error {
	var o options
	pflag.IntVar(&o.requests, "requests", 1000, "GETs of one object each way.")
	pflag.IntVar(&o.lists, "lists", 60, "LISTs of all objects each way.")
	pflag.IntVar(&o.objects, "objects", 500, "ConfigMaps in each member.")
	pflag.IntVar(&o.size, "size", 1024, "Bytes of data in each.")
	pflag.IntVar(&o.parallel, "parallel", 8, "Clients at a time, for the throughput.")
	pflag.IntVar(&o.watches, "watches", 200, "Watches that are open at a time, for the memory.")
	pflag.IntVar(&o.away, "away", 3, "Members that are some way away.")
	pflag.DurationVar(&o.delay, "delay", 5*time.Millisecond, "How far away those are, there and back.")
	pflag.StringVar(&o.profile, "cpuprofile", "", "File that gets a profile of the server, while clients on one machine make GETs as fast as they can.")
	pflag.StringVar(&o.jsonPath, "json", "", "File that gets the results as JSON.")
	pflag.Parse()
	if min(o.requests, o.lists, o.objects, o.size, o.parallel, o.watches, o.away) < 1 {
		return errors.New("all numbers must be at least 1")
	}
	return run(ctx, o)
}

func run(ctx context.Context, o options) (err error) {
	fmt.Printf("starting a host and %d members …\n", 1+o.away)
	b, end, err := newBench(ctx, o)
	defer func() { err = errors.Join(err, end(context.WithoutCancel(ctx))) }()
	if err != nil {
		return err
	}
	result, err := b.measure(ctx)
	if err != nil {
		return err
	}
	result.print(os.Stdout)
	return benchkit.WriteJSON(o.jsonPath, result)
}
