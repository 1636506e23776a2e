package localcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/internal/freeport"
)

// startAll starts what does not run of the clusters, all at the same time. When
// one fails, the processes that this call started end. mayMove lets a cluster
// take another port when it loses the race for its own: never once clients have
// been told of it.
func (f *Fleet) startAll(ctx context.Context, clusters []*Cluster, mayMove bool) error {
	runs := make([]*run, len(clusters))
	group, groupCtx := errgroup.WithContext(ctx)
	for i, cluster := range clusters {
		runs[i] = &run{cluster: cluster, mayMove: mayMove}
		group.Go(func() error { return runs[i].start(groupCtx) })
	}
	err := group.Wait()
	if err == nil {
		return f.savePorts()
	}
	for _, run := range runs {
		for _, component := range run.started {
			_ = run.cluster.process(component).kill(0)
			_ = os.Remove(run.cluster.record(component))
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("starting the local clusters was interrupted: %w", context.Cause(ctx))
	}
	return err
}

// savePorts keeps ports that had to change while the clusters started.
func (f *Fleet) savePorts() error {
	for i, cluster := range f.clusters {
		f.state.Clusters[i].Port = cluster.state.Port
	}
	return f.state.write(f.dir)
}

// run is one start of a cluster.
type run struct {
	cluster *Cluster
	started []string // components, in order
	mayMove bool
}

// start starts the components that do not run and waits until the cluster is usable.
func (r *run) start(ctx context.Context) error {
	c, begin := r.cluster, time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, c.fleet.timeout, errTimeout)
	defer cancel()
	if err := c.writeFiles(); err != nil {
		return err
	}
	for _, component := range c.running() {
		_ = c.process(component).signal(syscall.SIGCONT)
	}
	if err := r.startControlPlane(ctx); err != nil {
		return err
	}
	for _, component := range []string{ControllerManager, Scheduler, Kwok} {
		if !slices.Contains(c.Components(), component) {
			continue
		}
		if _, err := r.ensure(component); err != nil {
			return err
		}
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	if len(r.started) == 0 {
		c.fleet.log.printf("%s: already running at %s", c.Name, c.Endpoint)
	} else {
		c.fleet.log.printf("%s: ready after %.1f s at %s (%s)", c.Name, time.Since(begin).Seconds(), c.Endpoint, c.describeNodes())
	}
	return nil
}

var errTimeout = errors.New("it took too long")

// describeNodes says what the cluster has: "3 nodes, 1 of them with 8 GPUs, eu-west".
func (c *Cluster) describeNodes() string {
	text := fmt.Sprintf("%d nodes", c.state.Nodes+c.state.GPUNodes)
	if c.state.Nodes+c.state.GPUNodes == 1 {
		text = "1 node"
	}
	if c.GPU {
		text += fmt.Sprintf(", %d of them with %s GPUs", c.state.GPUNodes, gpusPerNode)
	}
	return text + ", region " + c.Region
}

// writeFiles writes what the components read.
func (c *Cluster) writeFiles() error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	if err := ensurePKI(filepath.Join(c.Dir, "pki"), c.Name, c.serviceIP()); err != nil {
		return err
	}
	if err := ensureFrontProxy(c.frontProxy(""), c.Name); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.Dir, "stages.yaml"), c.stages()); err != nil {
		return err
	}
	if err := c.ensurePodLog(); err != nil {
		return err
	}
	return c.writeComponentConfigs()
}

// ensurePodLog makes the file that kwok serves as the log of pods, where it serves commands.
func (c *Cluster) ensurePodLog() error {
	path := c.LogPath("pods")
	if c.state.ExecPort == 0 || exists(path) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, nil, 0o600)
}

// ensure starts a component unless it runs. exited is nil when it ran already.
func (r *run) ensure(component string) (exited <-chan struct{}, err error) {
	if r.cluster.process(component).alive() {
		return nil, nil //nolint:nilnil // see the comment of the function
	}
	// Noted before it starts: the start may fail half way.
	r.started = append(r.started, component)
	return r.cluster.start(component, r.cluster.fleet.dieWithParent)
}

// startControlPlane starts etcd and the API server and waits until the latter is
// ready. A free port that somebody else took first is replaced by another.
func (r *run) startControlPlane(ctx context.Context) error {
	c := r.cluster
	for attempt := 1; ; attempt++ {
		if !c.process(APIServer).alive() {
			c.fleet.log.printf("%s: starting etcd and kube-apiserver", c.Name)
			if err := c.checkPort(); err != nil {
				return err
			}
		}
		etcd, err := r.ensure(Etcd)
		if err != nil {
			return err
		}
		server, err := r.ensure(APIServer)
		if err != nil {
			return err
		}
		err = c.waitReady(ctx, etcd, server)
		if err == nil || attempt == 3 || !errors.Is(err, errPortTaken) || !r.mayMove {
			return err
		}
		port, err := freePorts.Find(nil)
		if err != nil {
			return err
		}
		if err := c.movePort(port); err != nil {
			return err
		}
	}
}

func (c *Cluster) checkPort() error {
	if freeport.IsFree(c.state.Port) {
		return nil
	}
	return portError(c.Name, c.state.Port)
}

// movePort gives the cluster another port. Clients made for the old one no longer work.
func (c *Cluster) movePort(port int) error {
	state := c.state
	state.Port = port
	*c = *newCluster(c.fleet, state)
	return c.writeComponentConfigs()
}

var errPortTaken = errors.New("the port is in use")

// waitReady waits until the API server says that it is ready. A process whose
// end would go unnoticed (nil channel) is covered by the time limit.
func (c *Cluster) waitReady(ctx context.Context, etcd, server <-chan struct{}) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	config.Timeout = 5 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			return nil
		}
		select {
		case <-etcd:
			return c.ended(Etcd)
		case <-server:
			return c.ended(APIServer)
		case <-ctx.Done():
			return c.notReady(ctx, "the API server does not become ready", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// ended explains the end of a component that should run.
func (c *Cluster) ended(component string) error {
	tail := c.logTail(component, 8)
	if component == APIServer && strings.Contains(tail, "address already in use") {
		return fmt.Errorf("%w: %w", errPortTaken, portError(c.Name, c.state.Port))
	}
	return fmt.Errorf("%s of cluster %s ended while it started. Its last words:\n%s", component, c.Name, tail)
}

func (c *Cluster) notReady(ctx context.Context, what string, last error) error {
	return fmt.Errorf("cluster %s: %s: %w (%w). Last words of %s:\n%s", c.Name, what, context.Cause(ctx), last, APIServer, c.logTail(APIServer, 8))
}

// settle creates the nodes and waits until pods can be created: the namespace
// default has its service account.
func (r *run) settle(ctx context.Context) error {
	c := r.cluster
	config, err := c.config()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if err := c.ensureNodes(ctx, client); err != nil {
		return err
	}
	accounts := slices.Contains(c.Components(), ControllerManager) && slices.Contains(c.fleet.state.Controllers, "serviceaccount-controller")
	for accounts {
		_, err := client.CoreV1().ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			break
		}
		if !apierrors.IsNotFound(err) && ctx.Err() == nil {
			return fmt.Errorf("cluster %s: reading the default service account: %w", c.Name, err)
		}
		if !c.process(ControllerManager).alive() {
			return c.ended(ControllerManager)
		}
		select {
		case <-ctx.Done():
			return c.notReady(ctx, "the default service account is not created", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, component := range r.started {
		if !c.process(component).alive() {
			return c.ended(component)
		}
	}
	return nil
}
