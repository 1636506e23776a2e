// Command bench-import measures "fedctl import" and "fedctl export" on a real control plane:
// an export of many federated objects is imported, once more when all is there, and exported.
//
// Beside it some of the objects are created one after the other by client-go: what an import
// takes that waits for each answer. The ratio to it is the result. Both reach the host by way of
// a proxy that gives every answer after a delay, as a host elsewhere does: without one, and with
// the host on the same machine, only the API server's own processor time is measured.
//
//	make bench-import
//	go run ./test/bench-import --objects 20000 --size 1024
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/exported"
	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/benchkit"
)

const (
	plane      = "kube-federation-system"
	namespaces = 50
)

type options struct {
	objects, size, floor int
	fedctl               string
	delay                time.Duration
}

func main() { benchkit.Main(command) }

func command(ctx context.Context) error {
	var o options
	pflag.IntVar(&o.objects, "objects", 20000, "Federated objects of the export.")
	pflag.IntVar(&o.size, "size", 1024, "Bytes of data in each.")
	pflag.IntVar(&o.floor, "floor", 1000, "Objects that are created one after the other.")
	pflag.StringVar(&o.fedctl, "fedctl", "bin/fedctl", "The program that is measured.")
	pflag.DurationVar(&o.delay, "delay", 20*time.Millisecond, "How far away the host is, there and back.")
	pflag.Parse()
	if o.objects < 1 || o.size < 1 || o.floor < 1 {
		return errors.New("--objects, --size and --floor must be at least 1")
	}
	return measure(ctx, o)
}

func measure(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "fedctl-bench-import-")
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
	defer func() { err = errors.Join(err, fleet.Down(context.WithoutCancel(ctx))) }()
	b := &bench{options: o, kubeconfig: filepath.Join(dir, "kubeconfig"), dir: dir}
	config, err := away(ctx, fleet.KubeconfigPath(), b.kubeconfig, o.delay)
	if err != nil {
		return err
	}
	config.QPS = -1
	if b.host, err = client.New(config, client.Options{}); err != nil {
		return err
	}
	return b.run(ctx)
}

type bench struct {
	options

	kubeconfig, dir string
	host            client.Client
}

func (b *bench) run(ctx context.Context) error {
	if _, err := b.timed(ctx, "install", "install", "--without-controller"); err != nil {
		return err
	}
	export := filepath.Join(b.dir, "export")
	if err := b.write(ctx, export); err != nil {
		return err
	}
	first, err := b.timed(ctx, "import", "import", export)
	if err != nil {
		return err
	}
	for _, phase := range [][]string{{"import again", "import", export}, {"import --dry-run", "import", export, "--dry-run"}, {"export", "export", filepath.Join(b.dir, "again")}} {
		if _, err := b.timed(ctx, phase[0], phase[1:]...); err != nil {
			return err
		}
	}
	one, err := b.oneByOne(ctx)
	if err != nil {
		return err
	}
	each := first / time.Duration(b.objects)
	fmt.Printf("\n%d objects: %.0f objects/s; one after the other by client-go %.0f objects/s; ratio %.2f\n",
		b.objects, time.Second.Seconds()/each.Seconds(), time.Second.Seconds()/one.Seconds(), one.Seconds()/each.Seconds())
	return nil
}

// timed runs the program, whose progress is shown.
func (b *bench) timed(ctx context.Context, what string, args ...string) (time.Duration, error) {
	command := exec.CommandContext(ctx, b.fedctl, append(args, "--kubeconfig", b.kubeconfig, "--host-cluster-context", localcluster.HostName)...)
	command.Stdout, command.Stderr = io.Discard, os.Stderr
	begun := time.Now()
	if err := command.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	took := time.Since(begun)
	peak := int64(0)
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		peak = usage.Maxrss >> 10
	}
	fmt.Printf("%-18s %7.1f s  %5d MiB\n", what, took.Seconds(), peak)
	return took, nil
}

// write makes an export of FederatedConfigMaps, and of their type as the host has it.
func (b *bench) write(ctx context.Context, dir string) error {
	folder, err := exported.Create(dir)
	if err != nil {
		return err
	}
	contents := exported.New("bench", time.Now())
	contents.Namespace = plane
	typeConfig := &unstructured.Unstructured{}
	typeConfig.SetGroupVersionKind(exported.TypeConfig)
	if err := b.host.Get(ctx, client.ObjectKey{Namespace: plane, Name: "configmaps"}, typeConfig); err != nil {
		return err
	}
	for _, file := range []struct {
		name    string
		objects int
		object  func(int) *unstructured.Unstructured
	}{
		{"03-types.yaml", 1, func(int) *unstructured.Unstructured { return exported.Portable(typeConfig) }},
		{"05-namespaces.yaml", namespaces, namespace},
		{"08-federatedconfigmaps.yaml", b.objects, func(n int) *unstructured.Unstructured { return b.object(n) }},
	} {
		sheet, err := folder.Sheet(file.name)
		if err != nil {
			return err
		}
		for n := range file.objects {
			if err := sheet.Put(file.object(n)); err != nil {
				return err
			}
		}
		if err := sheet.Close(); err != nil {
			return err
		}
		contents.Add(sheet.File)
	}
	return folder.Finish(contents)
}

func namespace(n int) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(exported.Namespace)
	u.SetName(fmt.Sprintf("team-%d", n))
	return u
}

func (b *bench) object(n int) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"template":  map[string]any{"data": map[string]any{"text": strings.Repeat("x", b.size)}},
		"placement": map[string]any{"clusterSelector": map[string]any{}},
	}}}
	u.SetAPIVersion("types.kubefed.io/v1beta1")
	u.SetKind("FederatedConfigMap")
	u.SetNamespace(fmt.Sprintf("team-%d", n%namespaces))
	u.SetName(fmt.Sprintf("settings-%d", n))
	return u
}

// oneByOne creates some of the objects anew, and says how long one takes.
func (b *bench) oneByOne(ctx context.Context) (time.Duration, error) {
	begun := time.Now()
	for n := range b.floor {
		u := b.object(n)
		u.SetName(fmt.Sprintf("floor-%d", n))
		if err := b.host.Create(ctx, u); err != nil {
			return 0, err
		}
	}
	return time.Since(begun) / time.Duration(b.floor), nil
}
