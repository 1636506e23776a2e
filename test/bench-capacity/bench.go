package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

type capacity = v1alpha1.ClusterCapacity

const (
	planeNamespace = "kube-federation-system"
	metricsPort    = 18473
	patience       = 20 * time.Minute
)

// bench is a host, a member and a controller.
type bench struct {
	options

	dir        string
	fleet      *localcluster.Fleet
	host       client.Client
	member     kubernetes.Interface
	name       string
	controller *exec.Cmd
	collected  collections
}

// setUp starts the clusters and the controller, and joins the member. Nothing runs pods or
// looks after nodes there.
func (b *bench) setUp(ctx context.Context) (err error) {
	step("Starting a host and a member")
	binary, err := filepath.Abs(b.program("kubernetes"))
	if err != nil {
		return err
	}
	if b.fleet, err = localcluster.Up(ctx, localcluster.Options{
		Dir: filepath.Join(b.dir, "fleet"), Binary: binary, Members: 1, MemberNodes: localcluster.None, HostNodes: localcluster.None,
		Without: []string{localcluster.Scheduler, localcluster.Kwok}, DieWithParent: true, Log: b.out(),
		Controllers: []string{"serviceaccount-controller", "namespace-controller"},
	}); err != nil {
		return err
	}
	b.name = b.fleet.Members()[0].Name
	if err := b.connect(); err != nil {
		return err
	}
	step("Installing the control plane and joining the member")
	for _, args := range [][]string{{"install", "--without-controller"}, {"join", b.name, "--cluster-context", b.name}} {
		args = append(args, "--kubeconfig", b.fleet.KubeconfigPath(), "--host-cluster-context", localcluster.HostName)
		if output, err := exec.CommandContext(ctx, b.program("fedctl"), args...).CombinedOutput(); err != nil {
			return fmt.Errorf("fedctl %s: %w\n%s", strings.Join(args, " "), err, output)
		}
	}
	if err := b.startController(); err != nil {
		return err
	}
	return b.until(ctx, "the member's nodes are followed", func(c *capacity) bool { return len(c.Status.Conditions) > 0 })
}

func (b *bench) connect() error {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	config := func(name string) (*rest.Config, error) {
		config, err := b.fleet.Config(name)
		if err != nil {
			return nil, err
		}
		config = rest.CopyConfig(config)
		config.QPS = -1
		return config, nil
	}
	host, err := config(localcluster.HostName)
	if err != nil {
		return err
	}
	if b.host, err = client.New(host, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	member, err := config(b.name)
	if err != nil {
		return err
	}
	member.ContentType = runtime.ContentTypeProtobuf
	b.member, err = kubernetes.NewForConfig(member)
	return err
}

func (b *bench) out() io.Writer {
	if b.verbose {
		return os.Stderr
	}
	return io.Discard
}

// startController starts the controller, which collects garbage often, so that what is alive is
// known at any time.
func (b *bench) startController() error {
	b.controller = exec.Command(b.program("controller"), "--kubeconfig", b.fleet.KubeconfigPath(), "--context", localcluster.HostName, "--log-format", "text",
		"--leader-elect=false", "--health-probe-bind-address", "0", "--metrics-bind-address", fmt.Sprintf("127.0.0.1:%d", metricsPort))
	b.controller.Env = append(os.Environ(), "GODEBUG=gctrace=1", "GOGC=10")
	stderr, err := b.controller.StderrPipe()
	if err != nil {
		return err
	}
	go b.collected.read(stderr, b.out())
	return b.controller.Start()
}

func (b *bench) tearDown(ctx context.Context) error {
	var errs []error
	if b.controller != nil && b.controller.Process != nil {
		errs = append(errs, b.controller.Process.Kill())
		_ = b.controller.Wait() // it was killed
	}
	if b.fleet != nil {
		errs = append(errs, b.fleet.Down(ctx))
	}
	return errors.Join(errs...)
}

// collections are how much was alive, in MiB, each time that garbage was collected.
type collections struct {
	mu    sync.Mutex
	alive []int64
}

// collection is a line such as "gc 7 @1.2s 1%: …, 41->42->23 MB, 25 MB goal, …".
var collection = regexp.MustCompile(`^gc \d+ @.* \d+->\d+->(\d+) MB`)

// read reads what the controller prints.
func (c *collections) read(from io.Reader, to io.Writer) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		found := collection.FindStringSubmatch(lines.Text())
		if found == nil {
			_, _ = fmt.Fprintln(to, lines.Text())
			continue
		}
		alive, _ := strconv.ParseInt(found[1], 10, 64) // it is digits
		c.mu.Lock()
		c.alive = append(c.alive, alive)
		c.mu.Unlock()
	}
}

func (c *collections) since(n int) []int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.alive[n:])
}

// heap is the least that some collections in a row find alive: what is on its way is not held.
func (b *bench) heap(ctx context.Context) (bytes int64, err error) {
	const collections = 10
	begun := len(b.collected.since(0))
	err = wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		b.askForMetrics(ctx) // that makes garbage
		alive := b.collected.since(begun)
		if len(alive) < collections {
			return false, nil
		}
		bytes = slices.Min(alive) << 20
		return true, nil
	})
	if err != nil {
		return 0, fmt.Errorf("waiting for the controller to collect garbage: %w", err)
	}
	return bytes, nil
}

func (b *bench) askForMetrics(ctx context.Context) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", metricsPort), nil)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return // it may be starting
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}

// each does something n times, as many at a time as there are workers.
func (b *bench) each(ctx context.Context, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	numbers := make(chan int)
	var working sync.WaitGroup
	for range b.workers {
		working.Go(func() {
			for i := range numbers {
				if err := do(ctx, i); err != nil && !apierrors.IsAlreadyExists(err) {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		numbers <- i
	}
	close(numbers)
	working.Wait()
	return context.Cause(ctx)
}

// until waits until the member's ClusterCapacity says something.
func (b *bench) until(ctx context.Context, what string, says func(*capacity) bool) error {
	err := wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		c := &capacity{}
		err := b.host.Get(ctx, b.key(), c)
		return err == nil && says(c), client.IgnoreNotFound(err)
	})
	if err != nil {
		return fmt.Errorf("waiting until %s: %w", what, err)
	}
	return nil
}

func (b *bench) key() client.ObjectKey {
	return client.ObjectKey{Namespace: planeNamespace, Name: b.name}
}

// follow has the controller follow the pods.
func (b *bench) follow(ctx context.Context) error {
	c := &capacity{}
	if err := b.host.Get(ctx, b.key(), c); err != nil {
		return err
	}
	until := metav1.NewTime(time.Now().Add(time.Hour))
	before := c.DeepCopy()
	c.Spec.FollowRequestsUntil = &until
	return b.host.Patch(ctx, c, client.MergeFrom(before))
}

// requestedPods is how many pods the controller counts.
func requestedPods(c *capacity) int64 {
	for i := range c.Status.Resources {
		if r := &c.Status.Resources[i]; r.Resource == "pods" && r.Requested != nil {
			return r.Requested.Value()
		}
	}
	return 0
}
