// Package convergence proves that an update ends where a creation would: what a member
// holds after a template has changed from T1 to T2 is what it would hold had T2 been
// created there.
//
// For each type of seeds there are pairs of templates, by hand and made from the type's
// OpenAPI schema. Each T1 is federated into one namespace and changed to T2; T2 is
// federated into another; the two objects are compared in the member. What an API
// server does not let change has to say so in the status.
//
// known.yaml lists what is to be mended, meant.yaml what is as it should be; an entry
// that is not seen any more fails the suite.
package convergence

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/convergence/pairs"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/outcome"
)

var (
	// full has all pairs tried; without it those that seeds mark as short, and a few.
	full = flag.Bool("full", false, "try all pairs, not only those for make test")
	only = flag.String("pairs", "", "patterns of the names of the pairs to try, separated by commas")
	seed = flag.Uint64("seed", 1, "the seed of chance that chooses the generated pairs")
	many = flag.Int("many", 4, "how many fields that a seed names, and how many that only the schema knows, are tried of each type")
)

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(klog.NewKlogr())
	os.Exit(m.Run())
}

// controllers are those that the clusters need: none that would act upon what is
// federated.
var controllers = []string{"namespace-controller", "garbage-collector-controller", "serviceaccount-controller", "serviceaccount-token-controller"}

func TestConvergence(t *testing.T) {
	known, meant := readSheet(t, "known.yaml"), readSheet(t, "meant.yaml")
	w := start(t)
	w.known, w.meant = known, meant
	tried := w.choose(t)
	began := time.Now()
	w.prepare(t, tried)
	t.Logf("prepared in %s", time.Since(began).Round(time.Second))
	w.change(t, tried)
	t.Logf("%d pairs of %d types tried in %s", len(tried), len(w.types), time.Since(began).Round(time.Second))

	var ran []string
	report := &bytes.Buffer{}
	for _, p := range tried {
		ran = append(ran, p.Name)
		for _, d := range p.differences {
			isMeant, isKnown := meant.Expects(p.Name, d), known.Expects(p.Name, d)
			kind := "unexpected"
			switch {
			case isMeant:
				kind = "meant"
			case isKnown:
				kind = "known"
			default:
				t.Errorf("%s: created | changed: %s", p.Name, d)
			}
			fmt.Fprintf(report, "%-10s %s %s\n", kind, p.Name, d)
		}
	}
	all := *full && *only == ""
	for _, entry := range known.Stale(ran, all) {
		t.Errorf("mended: take it out of known.yaml: %s", entry)
	}
	for _, entry := range meant.Stale(ran, all) {
		t.Errorf("no difference: take it out of meant.yaml: %s", entry)
	}
	t.Logf("what differs (created | changed):\n%s", report)
}

func readSheet(t *testing.T, file string) *outcome.Sheet {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := outcome.ParseSheet(content)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return sheet
}

// world is the clusters, and the types that are federated there.
type world struct {
	system *framework.System
	host   *framework.Cluster
	member *framework.Cluster
	table  outcome.Table
	seeds  []*pairs.Seed
	types  []*pairs.Seed // those of the pairs that are tried
	// known and meant are the differences that are expected.
	known, meant *outcome.Sheet
}

func start(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	w := &world{}
	var err error
	if w.table, err = outcome.Members(); err != nil {
		t.Fatal(err)
	}
	if w.seeds, err = pairs.Load(os.DirFS("seeds")); err != nil {
		t.Fatal(err)
	}
	log := &bytes.Buffer{}
	w.system, err = framework.Prepare(ctx, log, 1, func(o *localcluster.Options) {
		o.GPUMembers, o.HostNodes, o.MemberNodes = 0, localcluster.None, localcluster.None
		o.Without, o.Controllers = []string{localcluster.Scheduler, localcluster.Kwok}, controllers
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	w.host, w.member = w.system.Host(), w.system.Members()[0]
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if t.Failed() && w.system.Controller != nil {
			t.Logf("end of the controller's log:\n%s", w.system.Controller.LogTail(20))
		}
		if err := w.system.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []*framework.Cluster{w.host, w.member} {
		if err := framework.CreateYAML(ctx, c, definitions); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// definitions are those of the custom type.
const definitions = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {kind: Widget, plural: widgets, singular: widget}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              shape: {type: string}
              size: {type: integer, default: 1}
              groups: {type: array, items: {type: string}}
              fixed: {type: string, x-kubernetes-validations: [{rule: self == oldSelf, message: is fixed}]}
              list: {type: array, items: {type: object, properties: {name: {type: string}, value: {type: string}}}}
              keyed:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, required: [name], properties: {name: {type: string}, value: {type: string}}}
              nested:
                type: object
                properties: {inner: {type: object, properties: {a: {type: string}, c: {type: string, default: d}}}}
              either:
                type: object
                properties:
                  one: {type: object, properties: {a: {type: string}}}
                  two: {type: object, properties: {a: {type: string}}}
                oneOf: [{required: [one]}, {required: [two]}]
              plain: {type: object, properties: {groups: {type: array, items: {type: string}}}}
              free: {type: object, x-kubernetes-preserve-unknown-fields: true}
`

// wanted says whether a pair is to be tried.
func wanted(p *pairs.Pair) bool {
	if *only == "" {
		return *full || p.Short
	}
	for _, pattern := range strings.Split(*only, ",") {
		if outcome.MatchName(pattern, p.Name) {
			return true
		}
	}
	return false
}
