package localcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Fleet is a host cluster and its members.
type Fleet struct {
	dir      string
	state    *fleetState
	clusters []*Cluster // the host first

	dieWithParent bool
	timeout       time.Duration
	log           *progress
}

// Up starts a fleet and returns when every cluster answers, has its nodes and
// its default service account. Of a fleet that exists already it starts what
// does not run, as it was first asked to (nodes, controllers, arguments); asked
// for another number of members, it fails. When Up fails it ends what it
// started, and leaves nothing behind of a fleet that it made.
func Up(ctx context.Context, options Options) (*Fleet, error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	binary, err := FindBinary(options.Binary)
	if err != nil {
		return nil, err
	}
	options.Binary = binary
	if err := checkEmpty(options.Dir); err != nil && !exists(filepath.Join(options.Dir, stateFile)) {
		return nil, err
	}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, options.Dir, options.Log)
	if err != nil {
		return nil, err
	}
	defer unlock()
	fleet, fresh, err := prepare(ctx, &options)
	if err != nil {
		if fresh {
			err = errors.Join(err, remove(options.Dir))
		}
		return nil, err
	}
	if err := fleet.startAll(ctx, fleet.clusters, fresh && options.PortBase == 0); err != nil {
		if fresh {
			err = errors.Join(err, remove(options.Dir))
		}
		return nil, err
	}
	if err := fleet.writeKubeconfig(); err != nil {
		return nil, err
	}
	return fleet, nil
}

// prepare reads or plans the fleet and ends processes of it that an earlier,
// killed program left unrecorded. fresh says that nothing of it is worth keeping.
func prepare(ctx context.Context, options *Options) (fleet *Fleet, fresh bool, err error) {
	state, err := readState(options.Dir)
	version, versionErr := binaryVersion(ctx, options.Binary)
	switch {
	case versionErr != nil:
		return nil, errors.Is(err, ErrNoFleet), versionErr
	case errors.Is(err, ErrNoFleet):
		if err := killLeftovers(options.Dir); err != nil {
			return nil, false, err
		}
		if state, err = newState(options, version); err != nil {
			return nil, true, err
		}
		if err := state.write(options.Dir); err != nil {
			return nil, true, err
		}
		fresh = true
	case err != nil:
		return nil, false, err
	case state.members() != options.Members || state.gpuMembers() != options.GPUMembers:
		return nil, false, fmt.Errorf("%s holds local clusters already, with %d members, %d of them with GPUs, not %d and %d: "+
			"remove them with \"fedctl local down\" or choose another directory with --dir",
			options.Dir, state.members(), state.gpuMembers(), options.Members, options.GPUMembers)
	case options.PortBase != 0 && options.PortBase != state.PortBase:
		return nil, false, fmt.Errorf("%s holds local clusters already, with other ports: remove them with \"fedctl local down\"", options.Dir)
	default:
		state.Binary, state.Version = options.Binary, version
	}
	fleet = newFleet(options.Dir, state)
	fleet.dieWithParent, fleet.timeout, fleet.log = options.DieWithParent, options.Timeout, &progress{out: options.Log}
	return fleet, fresh, fleet.killUnrecorded()
}

// Load returns the fleet in dir, running or not. The error wraps ErrNoFleet when there is none.
func Load(dir string) (*Fleet, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	state, err := readState(dir)
	if err != nil {
		return nil, err
	}
	return newFleet(dir, state), nil
}

func newFleet(dir string, state *fleetState) *Fleet {
	fleet := &Fleet{dir: dir, state: state, timeout: 2 * time.Minute, log: &progress{out: io.Discard}}
	for _, cluster := range state.Clusters {
		fleet.clusters = append(fleet.clusters, newCluster(fleet, cluster))
	}
	return fleet
}

// Dir returns the directory of the fleet, an absolute path.
func (f *Fleet) Dir() string { return f.dir }

// Binary returns the path of the multi-call binary the fleet runs.
func (f *Fleet) Binary() string { return f.state.Binary }

// Version returns the version of Kubernetes, such as v1.36.3.
func (f *Fleet) Version() string { return f.state.Version }

// Host returns the host cluster.
func (f *Fleet) Host() *Cluster { return f.clusters[0] }

// Members returns the members in the order of their numbers.
func (f *Fleet) Members() []*Cluster { return f.clusters[1:] }

// Clusters returns the host and the members.
func (f *Fleet) Clusters() []*Cluster { return f.clusters }

// Member returns the cluster with this name, which may also be the host's. The
// error names the clusters there are.
func (f *Fleet) Member(name string) (*Cluster, error) {
	names := make([]string, 0, len(f.clusters))
	for _, cluster := range f.clusters {
		if cluster.Name == name {
			return cluster, nil
		}
		names = append(names, cluster.Name)
	}
	return nil, fmt.Errorf("there is no local cluster %q (there are: %s)", name, strings.Join(names, ", "))
}

// KubeconfigPath returns the path of the kubeconfig that has a context per cluster.
func (f *Fleet) KubeconfigPath() string { return filepath.Join(f.dir, "kubeconfig") }

// Config returns the administrator's client configuration of a cluster, without
// client-side rate limit.
func (f *Fleet) Config(name string) (*rest.Config, error) {
	cluster, err := f.Member(name)
	if err != nil {
		return nil, err
	}
	return cluster.config()
}

// SetLog makes the fleet report progress to out, a line at a time.
func (f *Fleet) SetLog(out io.Writer) { f.log = &progress{out: out} }

// binaryVersion asks the binary for Kubernetes' version, and so finds out whether it works.
func binaryVersion(ctx context.Context, binary string) (string, error) {
	out, err := exec.CommandContext(ctx, binary, "version").Output()
	version := strings.TrimSpace(string(out))
	if err != nil || !strings.HasPrefix(version, "v1.") {
		return "", fmt.Errorf("%s is not the Kubernetes binary (build it with \"make bin/kubernetes\"): \"%s version\" printed %.100q, %w",
			binary, filepath.Base(binary), version, errors.Join(err, errors.New("a version such as v1.36.3 was expected")))
	}
	return version, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// progress writes lines from several goroutines.
type progress struct {
	mu  sync.Mutex
	out io.Writer
}

func (p *progress) printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}
