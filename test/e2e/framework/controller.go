package framework

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/ptr"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// ServiceAccount is the one that config/ creates for the controller.
const ServiceAccount = "fedctl-controller"

// Controller runs the controller as a process against the host, with the token
// of its service account: it has the rights that an installation gives it, and
// no others.
type Controller struct {
	// Flags are given to every start, before those of the start itself.
	Flags []string

	program    string
	kubeconfig string
	logPath    string
	// MetricsAddress and HealthAddress are host:port.
	MetricsAddress, HealthAddress string

	mu      sync.Mutex
	command *exec.Cmd
	exited  chan struct{}
}

// fast makes the controller notice a stopped member within a second or two, and a
// pod that gets no node within two. One that only answers late, as on a busy machine,
// is not to count as broken. A leader keeps its Lease for longer than by default: one
// that loses it ends, as it should, and here nobody starts it again, because an API
// server on a busy machine has not answered for some seconds.
var fast = []string{
	"--cluster-health-check-period=500ms",
	"--cluster-health-check-timeout=3s",
	"--cluster-health-check-failure-threshold=2",
	"--leader-elect-lease-duration=25s",
	"--leader-elect-renew-deadline=20s",
	"--leader-elect-retry-period=1s",
	"--unschedulable-after=2s",
	"--log-format=text",
	"--log-level=1",
}

// NewController prepares a controller for the host cluster; its files go to dir.
func NewController(ctx context.Context, program, dir string, host *Cluster) (*Controller, error) {
	c, err := NewControllerIn(ctx, program, dir, host, "controller", KubeFedNamespace)
	if err == nil {
		c.Flags = fast
	}
	return c, err
}

// NewControllerIn prepares a controller of the control plane in namespace, with
// the defaults of the program; its files in dir begin with name.
func NewControllerIn(ctx context.Context, program, dir string, host *Cluster, name, namespace string) (*Controller, error) {
	return NewProcess(ctx, program, dir, host, name, namespace, ServiceAccount)
}

// NewProcess prepares the program with the rights of an account of the namespace, for
// another mode than that of a controller; its files in dir begin with name.
func NewProcess(ctx context.Context, program, dir string, host *Cluster, name, namespace, account string) (*Controller, error) {
	c := &Controller{
		Flags: []string{"--log-format=text", "--log-level=1", "--kubefed-namespace=" + namespace}, program: program,
		kubeconfig: filepath.Join(dir, name+".kubeconfig"), logPath: filepath.Join(dir, name+".log"),
	}
	if err := WriteAccountKubeconfig(ctx, host, namespace, account, c.kubeconfig); err != nil {
		return nil, err
	}
	for _, address := range []*string{&c.MetricsAddress, &c.HealthAddress} {
		var err error
		if *address, err = FreeAddress(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// WriteAccountKubeconfig writes a kubeconfig with a token of a service account: who
// uses it has the account's rights, and no others.
func WriteAccountKubeconfig(ctx context.Context, cluster *Cluster, namespace, name, path string) error {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](12 * 60 * 60)}}
	if err := cluster.SubResource("token").Create(ctx, account, request); err != nil {
		return fmt.Errorf("token of the service account %s/%s of cluster %s: %w", namespace, name, cluster.Name, err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[cluster.Name] = &clientcmdapi.Cluster{Server: cluster.Config.Host, CertificateAuthorityData: cluster.Config.CAData}
	config.AuthInfos[cluster.Name] = &clientcmdapi.AuthInfo{Token: request.Status.Token}
	config.Contexts[cluster.Name] = &clientcmdapi.Context{Cluster: cluster.Name, AuthInfo: cluster.Name}
	config.CurrentContext = cluster.Name
	return clientcmd.WriteToFile(*config, path)
}

// FreeAddress returns a host:port of this machine that nothing listens on. No outgoing
// connection takes it while the program that it is for is stopped.
func FreeAddress() (string, error) {
	port, err := localcluster.FreePort()
	if err != nil {
		return "", err
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), nil
}

// Start starts the process and returns when it leads. flags come after the
// suite's own.
func (c *Controller) Start(ctx context.Context, flags ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.launch(flags); err != nil {
		return err
	}
	return c.waitUntilLeading(ctx, c.exited)
}

// Launch starts the process and returns at once, for one that may have to wait
// for another's Lease.
func (c *Controller) Launch(flags ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.launch(flags)
}

func (c *Controller) launch(flags []string) error {
	if c.command != nil {
		return errors.New("the controller runs already")
	}
	log, err := os.OpenFile(c.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the process has its own descriptor
	args := append([]string{"--kubeconfig", c.kubeconfig, "--metrics-bind-address", c.MetricsAddress, "--health-probe-bind-address", c.HealthAddress}, c.Flags...)
	c.command = exec.Command(c.program, append(args, flags...)...)
	c.command.Stdout, c.command.Stderr = log, log
	c.command.SysProcAttr = dieWithParent()
	if err := c.command.Start(); err != nil {
		c.command = nil
		return err
	}
	exited := make(chan struct{})
	c.exited = exited
	command := c.command
	go func() {
		_ = command.Wait() // how it ended is told by the log
		close(exited)
	}()
	return nil
}

// leading is how long a controller may take to lead: its start on a busy machine, and
// before that the rest of the Lease of one that was killed.
const leading = 2 * time.Minute

func (c *Controller) waitUntilLeading(ctx context.Context, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, leading)
	defer cancel()
	for {
		if leads, err := c.Metric(ctx, "leader_election_master_status"); err == nil && leads >= 1 { // backups of members have Leases of their own
			return nil
		}
		select {
		case <-exited:
			c.command = nil
			return fmt.Errorf("the controller ended:\n%s", c.LogTail(20))
		case <-ctx.Done():
			return fmt.Errorf("the controller does not lead after %s:\n%s", leading, c.LogTail(20))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop asks the process to end and waits for it.
func (c *Controller) Stop(ctx context.Context) error { return c.signal(ctx, syscall.SIGTERM) }

// Kill ends the process at once, as a crash would.
func (c *Controller) Kill(ctx context.Context) error { return c.signal(ctx, syscall.SIGKILL) }

// Pause freezes the process, until Resume.
func (c *Controller) Pause() error { return c.send(syscall.SIGSTOP) }

// Resume has a process that was paused go on.
func (c *Controller) Resume() error { return c.send(syscall.SIGCONT) }

func (c *Controller) send(sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.command == nil {
		return errors.New("the controller does not run")
	}
	return c.command.Process.Signal(sig)
}

func (c *Controller) signal(ctx context.Context, sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.command == nil {
		return nil
	}
	if err := c.command.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.exited:
		c.command = nil
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the controller has not ended after %s: %w", sig, ctx.Err())
	}
}

// Restart stops and starts the process.
func (c *Controller) Restart(ctx context.Context, flags ...string) error {
	if err := c.Stop(ctx); err != nil {
		return err
	}
	return c.Start(ctx, flags...)
}

// Running says whether the process is alive.
func (c *Controller) Running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.command == nil {
		return false
	}
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// Metric returns the sum over all series of one of the controller's metrics.
func (c *Controller) Metric(ctx context.Context, name string) (float64, error) {
	values, err := c.Series(ctx, name, nil)
	if err == nil && len(values) == 0 {
		return 0, fmt.Errorf("the controller has no metric %s", name)
	}
	sum := 0.0
	for _, value := range values {
		sum += value
	}
	return sum, err
}

// Series returns the values of a metric's series that have these labels, gauges and
// counters; none if there is no such series.
func (c *Controller) Series(ctx context.Context, name string, labels map[string]string) ([]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.MetricsAddress+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	families, err := parseMetrics(response.Body)
	if err != nil {
		return nil, err
	}
	var values []float64
	for _, m := range families[name].GetMetric() {
		have := map[string]string{}
		for _, pair := range m.GetLabel() {
			have[pair.GetName()] = pair.GetValue()
		}
		differs := func(label string) bool { return have[label] != labels[label] }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(labels)), differs) {
			values = append(values, m.GetGauge().GetValue()+m.GetCounter().GetValue())
		}
	}
	return values, nil
}

// LogTail returns the last lines of the log.
func (c *Controller) LogTail(lines int) string {
	file, err := os.Open(c.logPath)
	if err != nil {
		return err.Error()
	}
	defer file.Close() //nolint:errcheck // only read
	var tail []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if tail = append(tail, scanner.Text()); len(tail) > lines {
			tail = tail[1:]
		}
	}
	return strings.Join(tail, "\n")
}
