package localcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The programs of a cluster, in the order in which they start.
const (
	Etcd              = "etcd"
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Kwok              = "kwok"
)

// Components lists the programs of a cluster in the order in which they start.
var Components = []string{Etcd, APIServer, ControllerManager, Scheduler, Kwok}

// DefaultControllers are the controllers that run in every cluster's
// kube-controller-manager. What needs a kubelet, a cloud or disks is left out,
// and so is node-lifecycle-controller: kwok nodes send no heartbeat. Claims of
// volumes have their controllers, since nobody else lets one that is deleted go.
var DefaultControllers = []string{
	"clusterrole-aggregation-controller",
	"cronjob-controller",
	"daemonset-controller",
	"deployment-controller",
	"endpointslice-controller",
	"garbage-collector-controller",
	"job-controller",
	"namespace-controller",
	"persistentvolume-binder-controller",
	"persistentvolume-protection-controller",
	"persistentvolumeclaim-protection-controller",
	"replicaset-controller",
	"resourceclaim-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"statefulset-controller",
	"ttl-after-finished-controller",
}

// None as a number of nodes means no nodes; 0 means the default.
const None = -1

// Options say what fleet Up brings up.
type Options struct {
	// Dir holds all state of the fleet. It is created; when it exists it must be
	// empty or hold a fleet.
	Dir string
	// Binary is the multi-call binary; empty: see FindBinary.
	Binary string
	// Members is how many members there are beside the host: member-1 …
	Members int
	// GPUMembers is how many of the members, counted from the last, have GPU nodes too.
	GPUMembers int
	// PortBase is the port of the host's API server; the members' follow it.
	// 0: free ports between 20000 and 30000.
	PortBase int

	// HostNodes, MemberNodes (each member's ordinary nodes) and GPUNodes (each GPU
	// member's) count nodes. 0: 1, 2 and 1. None: no nodes.
	HostNodes, MemberNodes, GPUNodes int
	// Without lists components that are started in no cluster: ControllerManager,
	// Scheduler, Kwok.
	Without []string
	// Controllers are the controllers to run; nil: DefaultControllers.
	Controllers []string
	// ExtraArgs are added to a component's command line, by component.
	ExtraArgs map[string][]string
	// Exec lets "kubectl exec" and hooks of backups run commands in pods: in fact on this
	// machine, as its user. Whoever reaches the port of kwok on the loopback address can
	// do so, without a password: for suites, not for clusters that stay.
	Exec bool
	// DieWithParent kills every process when the program that started it ends in
	// whatever way (Linux only). Without it, processes outlive the program.
	DieWithParent bool
	// Timeout bounds the start of each cluster. 0: five minutes.
	Timeout time.Duration
	// Log receives progress, one line at a time; nil: none.
	Log io.Writer
}

func (o *Options) complete() error {
	if o.Dir == "" {
		return errors.New("the directory of the local clusters is not set")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir = dir
	o.HostNodes = count(o.HostNodes, 1)
	o.MemberNodes = count(o.MemberNodes, 2)
	o.GPUNodes = count(o.GPUNodes, 1)
	if o.Controllers == nil {
		o.Controllers = DefaultControllers
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o.validate()
}

// count resolves a number of nodes.
func count(n, standard int) int {
	switch {
	case n == 0:
		return standard
	case n < 0:
		return 0
	default:
		return n
	}
}

// maxMembers keeps each cluster's address ranges (second octet of 10.0.0.0/8) apart.
const maxMembers = 100

func (o *Options) validate() error {
	switch {
	case o.Members < 0 || o.Members > maxMembers:
		return fmt.Errorf("members is %d: it must be between 0 and %d", o.Members, maxMembers)
	case o.GPUMembers < 0 || o.GPUMembers > o.Members:
		return fmt.Errorf("gpu-members is %d: it must be between 0 and the number of members, %d", o.GPUMembers, o.Members)
	case o.PortBase != 0 && (o.PortBase < 1024 || o.PortBase+o.Members > 65535):
		return fmt.Errorf("ports start at %d: %d ports from there must lie between 1024 and 65535", o.PortBase, o.Members+1)
	case o.HostNodes > maxNodes || o.MemberNodes+o.GPUNodes > maxNodes:
		return fmt.Errorf("a cluster can have at most %d nodes", maxNodes)
	}
	optional := []string{ControllerManager, Scheduler, Kwok}
	for _, name := range o.Without {
		if !slices.Contains(optional, name) {
			return fmt.Errorf("%q cannot be left out of a cluster: only %s can", name, strings.Join(optional, ", "))
		}
	}
	return nil
}

// BinaryEnv names the environment variable that says where the binary is.
const BinaryEnv = "FEDCTL_KUBERNETES"

// ErrNoBinary says that the multi-call binary is nowhere to be found.
var ErrNoBinary = errors.New("the Kubernetes binary is missing")

// FindBinary returns the absolute path of the multi-call binary: path if it is
// not empty, else $FEDCTL_KUBERNETES, else "kubernetes" next to the running
// executable, else bin/kubernetes in the working directory or in the root of the
// module it is in. The error wraps ErrNoBinary and says where it looked and what to do.
func FindBinary(path string) (string, error) {
	for _, given := range []struct{ path, from string }{{path, "as asked"}, {os.Getenv(BinaryEnv), "from $" + BinaryEnv}} {
		if given.path == "" {
			continue
		}
		if !executable(given.path) {
			return "", fmt.Errorf("%w: %s (%s) is not an executable file; build it with \"make bin/kubernetes\"", ErrNoBinary, given.path, given.from)
		}
		return filepath.Abs(given.path)
	}
	candidates := binaryCandidates()
	for _, candidate := range candidates {
		if executable(candidate) {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%w: build it with \"make bin/kubernetes\", or say where it is with --binary or $%s (looked at %s)",
		ErrNoBinary, BinaryEnv, strings.Join(candidates, ", "))
}

func binaryCandidates() []string {
	var candidates []string
	if self, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		candidates = append(candidates, filepath.Join(filepath.Dir(self), "kubernetes"))
	}
	dir, err := os.Getwd()
	if err != nil {
		return candidates
	}
	candidates = append(candidates, filepath.Join(dir, "bin", "kubernetes"))
	// Above the working directory only the root of a module counts: what else is
	// called bin/kubernetes there may be anybody's.
	for root := filepath.Dir(dir); !exists(filepath.Join(dir, "go.mod")) && filepath.Dir(root) != root; root = filepath.Dir(root) {
		if exists(filepath.Join(root, "go.mod")) {
			return append(candidates, filepath.Join(root, "bin", "kubernetes"))
		}
	}
	return candidates
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
