package framework

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// The environment variables that choose where the suite runs.
const (
	// KubeconfigEnv names a kubeconfig of clusters that are joined and run the
	// control plane; HostEnv is the context of the host and MembersEnv those of the
	// members, separated by commas. The contexts are named like the KubeFedClusters.
	// ContainersEnv may say where their nodes run.
	KubeconfigEnv = "FEDCTL_E2E_KUBECONFIG"
	HostEnv       = "FEDCTL_E2E_HOST"
	MembersEnv    = "FEDCTL_E2E_MEMBERS"
	// DirEnv is the directory of running local clusters ("fedctl local up --dir")
	// that the suite uses and leaves running. Without any of these variables the
	// suite starts local clusters and removes them.
	DirEnv = "FEDCTL_E2E_DIR"
	// ProgramsEnv is the directory of fedctl and the controller where they have been
	// built before, as "make test" does once for all suites. Without it a suite builds
	// what is in the working tree.
	ProgramsEnv = "FEDCTL_E2E_PROGRAMS"
)

// KubeFedNamespace is the namespace of the control plane in the host.
const KubeFedNamespace = "kube-federation-system"

// Environment is a set of clusters to run the suite on.
type Environment interface {
	Host() *Cluster
	// Members are in the order of their names. The last one has GPU nodes if any has.
	Members() []*Cluster
	// Kubeconfig is the path of a kubeconfig with a context for each cluster, named like it.
	Kubeconfig() string
	// Faults breaks clusters; nil where that is not possible.
	Faults() Faults
	// Installed says that the control plane runs there already, as a Deployment.
	Installed() bool
	// Close ends what the environment has started.
	Close(ctx context.Context) error
}

// Faults breaks and repairs clusters.
type Faults interface {
	// StopMember ends a cluster's processes; StartMember starts them again, on the
	// same endpoint and with the same data.
	StopMember(ctx context.Context, name string) error
	StartMember(ctx context.Context, name string) error
	// Pause makes a cluster accept connections and answer nothing, until Resume.
	Pause(name string) error
	Resume(name string) error
}

// Cluster is one cluster and an administrator's client of it, which reads from
// the API server each time.
type Cluster struct {
	client.Client

	Name   string
	Config *rest.Config
	// sent counts the requests of this client.
	sent *atomic.Int64
}

// Sent is how many requests the suite itself has made to the cluster with this
// client. Watches and requests for discovery count as well.
func (c *Cluster) Sent() int64 { return c.sent.Load() }

func newCluster(name string, config *rest.Config) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = -1, -1
	config.UserAgent = "fedctl-e2e"
	config.WarningHandler = rest.NoWarnings{}
	sent := &atomic.Int64{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &counter{next: next, sent: sent} })
	c, err := client.New(config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("client of cluster %s: %w", name, err)
	}
	return &Cluster{Client: c, Name: name, Config: config, sent: sent}, nil
}

type counter struct {
	next http.RoundTripper
	sent *atomic.Int64
}

func (c *counter) RoundTrip(request *http.Request) (*http.Response, error) {
	c.sent.Add(1)
	return c.next.RoundTrip(request)
}

// New finds or starts the clusters that the environment variables ask for. log
// receives progress.
func New(ctx context.Context, log io.Writer, edit ...func(*localcluster.Options)) (Environment, error) {
	if kubeconfig := os.Getenv(KubeconfigEnv); kubeconfig != "" {
		return fromKubeconfig(kubeconfig, os.Getenv(HostEnv), strings.Split(os.Getenv(MembersEnv), ","))
	}
	if dir := os.Getenv(DirEnv); dir != "" {
		return attach(dir)
	}
	return startLocal(ctx, log, localMembers, edit...)
}
