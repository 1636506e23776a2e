// Command bench-fleet measures what it costs to reach a member through the API of the
// fleet: the same requests of plain client-go, through the host and directly, one after the
// other by turns, on real control planes. The ratios are the result; times only say how fast
// the machine was. The client is an administrator in both, with the same client certificate
// in the host as in the member; both connections are made before.
//
//	make bench-fleet
//	go run ./test/bench-fleet --requests 2000 --json result.json
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/benchkit"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

type options struct {
	requests, lists, objects, size, parallel, watches int
	jsonPath                                          string
}

func main() { benchkit.Main(command) }

func command(ctx context.Context) error {
	var o options
	pflag.IntVar(&o.requests, "requests", 1000, "GETs of one object each way.")
	pflag.IntVar(&o.lists, "lists", 60, "LISTs of all objects each way.")
	pflag.IntVar(&o.objects, "objects", 500, "ConfigMaps in the member.")
	pflag.IntVar(&o.size, "size", 1024, "Bytes of data in each.")
	pflag.IntVar(&o.parallel, "parallel", 8, "Clients at a time, for the throughput.")
	pflag.IntVar(&o.watches, "watches", 200, "Watches that are open at a time, for the memory.")
	pflag.StringVar(&o.jsonPath, "json", "", "File that gets the results as JSON.")
	pflag.Parse()
	if min(o.requests, o.lists, o.objects, o.size, o.parallel, o.watches) < 1 {
		return errors.New("all numbers must be at least 1")
	}
	return run(ctx, o)
}

func run(ctx context.Context, o options) (err error) {
	fmt.Println("starting a host and a member …")
	system, err := framework.Prepare(ctx, os.Stderr, 1, func(l *localcluster.Options) {
		l.Without, l.GPUMembers = []string{localcluster.Scheduler, localcluster.Kwok}, 0
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, system.Close(context.WithoutCancel(ctx))) }()
	if err := system.StartControlPlane(ctx); err != nil {
		return err
	}
	server, err := system.InstallFleetAPI(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	member := system.Members()[0]
	if _, err := system.Run(ctx, "join", member.Name, "--cluster-context", member.Name, "--fleet-access"); err != nil {
		return err
	}
	if err := system.WaitForMember(ctx, member.Name, true); err != nil {
		return err
	}
	b, err := newBench(ctx, o, system.Host(), member, server)
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
