package localcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// State is what a cluster or a component is doing.
type State string

const (
	// Running means: the process runs; of a cluster: all do, and the API server is ready.
	Running State = "Running"
	// Stopped means: there is no process; of a cluster: none at all.
	Stopped State = "Stopped"
	// Paused means: the process was stopped by a signal, as Pause does; of a cluster: its API server was.
	Paused State = "Paused"
	// Hung means: the API server runs and does not answer.
	Hung State = "Hung"
	// Degraded means: some components of the cluster do not run, or its API server is not ready.
	Degraded State = "Degraded"
)

// ClusterStatus is a snapshot of a cluster.
type ClusterStatus struct {
	Name string `json:"name"`
	// Role is "host" or "member".
	Role     string `json:"role"`
	State    State  `json:"state"`
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	// Version is what the API server says, such as v1.36.3; empty when it does not answer.
	Version string `json:"version,omitempty"`
	// Nodes and GPUs (allocatable) are read from the cluster; 0 when it does not answer.
	Nodes int `json:"nodes"`
	GPUs  int `json:"gpus"`
	// Message says why the cluster is not Running.
	Message    string            `json:"message,omitempty"`
	Components []ComponentStatus `json:"components"`
}

// ComponentStatus is a snapshot of one process.
type ComponentStatus struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// PID is the process id, 0 when there is none.
	PID int    `json:"pid,omitempty"`
	Log string `json:"log"`
}

// FleetStatus is a snapshot of a fleet, the host first.
type FleetStatus struct {
	Dir        string          `json:"dir"`
	Kubeconfig string          `json:"kubeconfig"`
	Clusters   []ClusterStatus `json:"clusters"`
}

// answerTime is how long an API server that works may take to answer.
const answerTime = 3 * time.Second

// Status looks at every process and asks every API server. It takes at most
// about three seconds and does not fail: what went wrong is in the result.
func (f *Fleet) Status(ctx context.Context) FleetStatus {
	status := FleetStatus{Dir: f.dir, Kubeconfig: f.KubeconfigPath(), Clusters: make([]ClusterStatus, len(f.clusters))}
	var wait sync.WaitGroup
	for i, cluster := range f.clusters {
		wait.Go(func() { status.Clusters[i] = cluster.Status(ctx) })
	}
	wait.Wait()
	return status
}

// Status looks at the cluster's processes and asks its API server.
func (c *Cluster) Status(ctx context.Context) ClusterStatus {
	status := ClusterStatus{Name: c.Name, Role: "member", Endpoint: c.Endpoint, Region: c.Region}
	if c.Name == HostName {
		status.Role = HostName
	}
	for _, name := range c.Components() {
		status.Components = append(status.Components, c.component(name))
	}
	status.State, status.Message = summarise(status.Components)
	if server := componentState(status.Components, APIServer); server != Running {
		return status
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := c.ask(ctx, &status); err != nil {
		status.Message = err.Error()
		status.State = Degraded
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			status.State, status.Message = Hung, fmt.Sprintf("the API server does not answer within %s", answerTime)
		}
	}
	return status
}

func (c *Cluster) component(name string) ComponentStatus {
	p := c.process(name)
	status := ComponentStatus{Name: name, State: Stopped, Log: c.LogPath(name)}
	switch p.state() {
	case 0:
		return status
	case 'T':
		status.State = Paused
	default:
		status.State = Running
	}
	status.PID = p.PID
	return status
}

// summarise tells a cluster's state from its processes alone.
func summarise(components []ComponentStatus) (State, string) {
	stopped, message := 0, ""
	for _, component := range components {
		if component.State == Stopped {
			stopped++
			message += component.Name + " does not run; "
		}
	}
	switch {
	case stopped == len(components):
		return Stopped, ""
	case componentState(components, APIServer) == Paused:
		return Paused, "the API server is paused"
	case stopped > 0:
		return Degraded, message[:len(message)-len("; ")]
	default:
		return Running, ""
	}
}

func componentState(components []ComponentStatus, name string) State {
	for _, component := range components {
		if component.Name == name {
			return component.State
		}
	}
	return Stopped
}

// ask fills in what only the API server knows.
func (c *Cluster) ask(ctx context.Context, status *ClusterStatus) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	config.Timeout = answerTime
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	if body, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err != nil {
		if failed := failedChecks(string(body)); failed != "" {
			return fmt.Errorf("the API server is not ready: %s", failed)
		}
		return err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return err
	}
	status.Version, status.Nodes = version.GitVersion, len(nodes.Items)
	for i := range nodes.Items {
		gpus := nodes.Items[i].Status.Allocatable[corev1.ResourceName(GPUResource)]
		status.GPUs += int(gpus.Value())
	}
	return nil
}

// failedChecks returns the names of the checks that failed, from the answer of
// /readyz: a line for each, "[+]ping ok" or "[-]etcd failed: reason withheld".
func failedChecks(body string) string {
	var failed []string
	for line := range strings.Lines(body) {
		if check, ok := strings.CutPrefix(line, "[-]"); ok {
			name, _, _ := strings.Cut(check, " ")
			failed = append(failed, name)
		}
	}
	return strings.Join(failed, ", ")
}
