package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/localcluster"
)

const (
	namespace      = "bench" // of the federated objects
	floorNamespace = "floor" // of the raw floor's objects
	metricsPort    = 18471
)

var (
	federatedConfigMaps = schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1beta1", Resource: "federatedconfigmaps"}
	federatedNamespaces = schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1beta1", Resource: "federatednamespaces"}
)

// bench is a running fleet with a controller.
type bench struct {
	options
	fleet      *localcluster.Fleet
	dir        string
	host       dynamic.Interface
	members    []*memberCluster
	controller *exec.Cmd
	out        io.Writer
}

type memberCluster struct {
	name string
	kube kubernetes.Interface
}

// setUp starts the clusters and the controller and joins the members. The result
// is to be torn down also when there is an error.
func setUp(ctx context.Context, o options) (*bench, error) {
	dir, err := os.MkdirTemp("", "fedctl-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, out: io.Discard}
	if o.verbose {
		b.out = os.Stderr
	}
	step("Starting a host and %d members", o.members)
	binary, err := filepath.Abs(filepath.Join(o.binDir, "kubernetes"))
	if err != nil {
		return b, err
	}
	b.fleet, err = localcluster.Up(ctx, localcluster.Options{
		Dir:           filepath.Join(dir, "fleet"),
		Binary:        binary,
		Members:       o.members,
		MemberNodes:   localcluster.None,
		HostNodes:     localcluster.None,
		Without:       []string{localcluster.Scheduler, localcluster.Kwok},
		DieWithParent: true,
		Log:           b.out,
	})
	if err != nil {
		return b, err
	}
	if err := b.connect(); err != nil {
		return b, err
	}
	step("Installing the control plane and joining the members")
	if err := b.fedctl(ctx, "install", "--without-controller"); err != nil {
		return b, err
	}
	for _, m := range b.members {
		if err := b.fedctl(ctx, "join", m.name, "--cluster-context", m.name); err != nil {
			return b, err
		}
	}
	if err := b.createNamespaces(ctx); err != nil {
		return b, err
	}
	return b, nil
}

func (b *bench) connect() error {
	config, err := b.fleet.Config("host")
	if err != nil {
		return err
	}
	if b.host, err = dynamic.NewForConfig(unlimited(config)); err != nil {
		return err
	}
	for _, cluster := range b.fleet.Members() {
		config, err := b.fleet.Config(cluster.Name)
		if err != nil {
			return err
		}
		kube, err := kubernetes.NewForConfig(unlimited(config))
		if err != nil {
			return err
		}
		b.members = append(b.members, &memberCluster{name: cluster.Name, kube: kube})
	}
	return nil
}

func unlimited(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = -1, -1
	config.UserAgent = "fedctl-bench"
	return config
}

func (b *bench) fedctl(ctx context.Context, args ...string) error {
	args = append(args, "--kubeconfig", b.fleet.KubeconfigPath(), "--host-cluster-context", "host")
	output, err := exec.CommandContext(ctx, filepath.Join(b.binDir, "fedctl"), args...).CombinedOutput()
	fmt.Fprint(b.out, string(output))
	if err != nil {
		return fmt.Errorf("fedctl %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return nil
}

// startController starts the controller as a process and waits until it is ready.
func (b *bench) startController(ctx context.Context) error {
	b.controller = exec.Command(filepath.Join(b.binDir, "controller"),
		"--kubeconfig", b.fleet.KubeconfigPath(), "--context", "host", "--log-format", "text",
		"--workers-per-cluster", strconv.Itoa(b.concurrency), "--host-workers", strconv.Itoa(b.concurrency),
		"--leader-elect=false", "--health-probe-bind-address", "0",
		"--metrics-bind-address", fmt.Sprintf("127.0.0.1:%d", metricsPort))
	b.controller.Stderr = b.out
	if err := b.controller.Start(); err != nil {
		return err
	}
	return poll(ctx, time.Minute, "the controller serves its metrics", func() (bool, error) {
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", metricsPort))
		if err != nil {
			return false, nil //nolint:nilerr // not up yet
		}
		return true, response.Body.Close()
	})
}

func (b *bench) stopController() {
	if b.controller != nil && b.controller.Process != nil {
		_ = b.controller.Process.Kill()
		_ = b.controller.Wait()
	}
}

// createNamespaces makes the bench's namespace in the host and the floor's everywhere.
func (b *bench) createNamespaces(ctx context.Context) error {
	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	for _, name := range []string{namespace, floorNamespace} {
		if err := create(ctx, b.host.Resource(namespaces), "v1", "Namespace", "", name, nil); err != nil {
			return err
		}
	}
	for _, m := range b.members {
		if err := m.createNamespace(ctx, floorNamespace); err != nil {
			return err
		}
	}
	return nil
}

// federateNamespace starts the controller and waits until the bench's namespace is everywhere.
func (b *bench) federateNamespace(ctx context.Context, _ *report) error {
	if err := b.startController(ctx); err != nil {
		return err
	}
	everywhere := map[string]any{"placement": map[string]any{"clusterSelector": map[string]any{}}}
	err := create(ctx, b.host.Resource(federatedNamespaces).Namespace(namespace), "types.kubefed.io/v1beta1", "FederatedNamespace", namespace, namespace, everywhere)
	if err != nil {
		return err
	}
	for _, m := range b.members {
		err := poll(ctx, time.Minute, "namespace "+namespace+" is in "+m.name, func() (bool, error) { return m.hasNamespace(ctx, namespace) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) tearDown() {
	b.stopController()
	if b.fleet != nil {
		if err := b.fleet.Down(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
		}
	}
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
}

func create(ctx context.Context, resource dynamic.ResourceInterface, apiVersion, kind, ns, name string, spec map[string]any) error {
	_, err := resource.Create(ctx, object(apiVersion, kind, ns, name, spec), createOptions)
	if err != nil {
		return fmt.Errorf("creating %s %s/%s: %w", kind, ns, name, err)
	}
	return nil
}

func object(apiVersion, kind, ns, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(ns)
	u.SetName(name)
	if spec != nil {
		u.Object["spec"] = spec
	}
	return u
}

// pollInterval is long enough that reading the controller's metrics costs it little.
const pollInterval = 100 * time.Millisecond

// poll calls done until it says true; the error names what was waited for.
func poll(ctx context.Context, timeout time.Duration, what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waited %s until %s", timeout, what), ctx.Err())
		case <-time.After(pollInterval):
		}
	}
}

func step(format string, args ...any) { fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...) }

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return slices.Clip(list)
}
