package localcluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	stateFile   = "fleet.json"
	lockFile    = "lock"
	clustersDir = "clusters"
	// stateFormat changes when an older program could misread the state.
	stateFormat = 1
)

// fleetState is what fleet.json holds: all that is needed to start the same
// processes again. What runs is recorded apart, a file per process.
type fleetState struct {
	Format      int                 `json:"format"`
	Binary      string              `json:"binary"`
	Version     string              `json:"version"` // of Kubernetes, such as v1.36.3
	PortBase    int                 `json:"portBase,omitempty"`
	Without     []string            `json:"without,omitempty"`
	Controllers []string            `json:"controllers"`
	ExtraArgs   map[string][]string `json:"extraArgs,omitempty"`
	Clusters    []clusterState      `json:"clusters"` // the host first
	// MergedInto is the kubeconfig of the user that got our contexts, when it did.
	MergedInto string `json:"mergedInto,omitempty"`
}

type clusterState struct {
	Index int    `json:"index"` // 0 is the host
	Name  string `json:"name"`
	Port  int    `json:"port"`
	// ExecPort is where kwok serves commands in pods; 0 if it does not.
	ExecPort int `json:"execPort,omitempty"`
	Nodes    int `json:"nodes"`
	GPUNodes int `json:"gpuNodes,omitempty"`
}

// ErrNoFleet says that a directory holds no local clusters.
var ErrNoFleet = errors.New("no local clusters")

func readState(dir string) (*fleetState, error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s: start some with \"fedctl local up\"", ErrNoFleet, dir)
	}
	if err != nil {
		return nil, err
	}
	var state fleetState
	if err := json.Unmarshal(data, &state); err != nil {
		return nil, fmt.Errorf("%s is damaged, remove the local clusters with \"fedctl local down\": %w", filepath.Join(dir, stateFile), err)
	}
	if state.Format != stateFormat || len(state.Clusters) == 0 {
		return nil, fmt.Errorf("%s was written by another version of fedctl (format %d, this one has %d): remove the local clusters with \"fedctl local down\"",
			filepath.Join(dir, stateFile), state.Format, stateFormat)
	}
	return &state, nil
}

func (s *fleetState) write(dir string) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, stateFile), append(data, '\n'))
}

// newState plans a fleet: its clusters, their ports and nodes.
func newState(o *Options, version string) (*fleetState, error) {
	ports, err := assignPorts(o.PortBase, o.Members+1)
	if err != nil {
		return nil, err
	}
	state := &fleetState{
		Format: stateFormat, Binary: o.Binary, Version: version, PortBase: o.PortBase,
		Without: o.Without, Controllers: o.Controllers, ExtraArgs: o.ExtraArgs,
	}
	taken := map[int]bool{}
	for _, port := range ports {
		taken[port] = true
	}
	for i, port := range ports {
		cluster := clusterState{Index: i, Name: clusterName(i), Port: port, Nodes: o.MemberNodes}
		if i == 0 {
			cluster.Nodes = o.HostNodes
		}
		if i > o.Members-o.GPUMembers {
			cluster.GPUNodes = o.GPUNodes
		}
		if o.Exec {
			if cluster.ExecPort, err = freePorts.Find(taken); err != nil {
				return nil, err
			}
			taken[cluster.ExecPort] = true
		}
		state.Clusters = append(state.Clusters, cluster)
	}
	return state, nil
}

func (s *fleetState) members() int { return len(s.Clusters) - 1 }

func (s *fleetState) gpuMembers() int {
	n := 0
	for _, cluster := range s.Clusters {
		if cluster.GPUNodes > 0 {
			n++
		}
	}
	return n
}

// checkEmpty refuses a directory that holds something that is not ours.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != lockFile && entry.Name() != clustersDir {
			return fmt.Errorf("%s is not empty (%s) and holds no local clusters: choose another directory with --dir", dir, entry.Name())
		}
	}
	return nil
}
