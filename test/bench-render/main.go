// Command bench-render measures what rendering takes, in memory: federated Deployments,
// a fleet of clusters whose nodes are tainted differently, and four policies, of which one
// has tolerations derived. Everything is rendered with the functions that the controller
// uses, for every object and every cluster.
//
// What it takes to decode a federated object is measured apart and is not part of the
// result; all else is, spread over the clusters: the object's revision, its layers, and the
// renderer. Clusters that all rules treat alike share what is rendered, so the report says
// how many different ones there are for each object, and what each of those takes.
//
//	make bench-render
//	go run ./test/bench-render --objects 1000 --clusters 100 --json result.json --cpuprofile cpu.out
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/policy"
	"github.com/fedctl/fedctl/pkg/workload"
	"github.com/fedctl/fedctl/test/benchkit"
)

type options struct {
	objects, clusters    int
	jsonPath, cpuProfile string
}

func main() { benchkit.Main(command) }

func command(context.Context) error {
	var o options
	pflag.IntVar(&o.objects, "objects", 10000, "Federated objects.")
	pflag.IntVar(&o.clusters, "clusters", 500, "Member clusters; every object is rendered for all of them.")
	pflag.StringVar(&o.jsonPath, "json", "", "File that gets the results as JSON.")
	pflag.StringVar(&o.cpuProfile, "cpuprofile", "", "File that gets a profile of the processor.")
	pflag.Parse()
	if o.objects < 1 || o.clusters < 1 {
		return fmt.Errorf("--objects and --clusters must be at least 1")
	}
	if o.cpuProfile != "" {
		file, err := os.Create(o.cpuProfile)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // a profile that is cut short is no result
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r, err := measure(o)
	if err != nil {
		return err
	}
	r.print(os.Stdout)
	return benchkit.WriteJSON(o.jsonPath, r)
}

// counted is what something took: processor time, that of the garbage collector included,
// and allocations of memory.
type counted struct {
	took        time.Duration
	allocations uint64
}

// count runs f on this goroutine alone.
func (c *counted) count(f func() error) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := processorTime()
	err := f()
	c.took += processorTime() - start
	runtime.ReadMemStats(&after)
	c.allocations += after.Mallocs - before.Mallocs
	return err
}

// processorTime is what the process has used: other programs on the machine do not count.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // it is always there
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure renders everything. Objects are taken in batches, so that what is measured is
// not the collection of garbage of all of them.
func measure(o options) (report, error) {
	fleet, policies := policy.NewFleet(clusters(o.clusters)), thePolicies()
	policy.Sort(policies)
	names := clusterNames(o.clusters)
	var decoding, rendering counted
	r := report{Objects: o.objects, Clusters: o.clusters}
	const batch = 100
	for first := 0; first < o.objects; first += batch {
		texts := federatedObjects(first, min(batch, o.objects-first), o.clusters)
		parsed := make([]*federate.Object, len(texts))
		err := decoding.count(func() error {
			for i, text := range texts {
				u := &unstructured.Unstructured{}
				if err := u.UnmarshalJSON([]byte(text)); err != nil {
					return err
				}
				var err error
				if parsed[i], err = federate.Parse(u); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return r, err
		}
		err = rendering.count(func() error {
			for _, object := range parsed {
				if err := r.render(object, policies, fleet, names); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	r.conclude(decoding, rendering)
	return r, nil
}

// render renders one object for all clusters.
func (r *report) render(object *federate.Object, policies []*policy.Policy, fleet *policy.Fleet, names []string) error {
	selected := policy.NewObject(workload.Builtin(), target.GVK.GroupKind(), object.Namespace, object.Name, object.Labels)
	layers := policy.Layers(policies, selected, object.Template, fleet)
	renderer, err := federate.IntentOf(object, nil, nil).Beneath(layers...).Renderer(target)
	if err != nil {
		return err
	}
	for _, name := range names {
		rendered, err := renderer.For(name)
		if err != nil {
			return err
		}
		r.bytes += uint64(len(rendered.JSON))
	}
	r.made += uint64(renderer.Made() + len(object.Overrides))
	return nil
}
