package framework

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// local is an environment of local clusters.
type local struct {
	fleet   *localcluster.Fleet
	host    *Cluster
	members []*Cluster
	// dir is removed with the clusters; empty if the suite did not start them.
	dir string
}

// localMembers is how many members the suite starts: enough for a placement that
// takes one, leaves one, and one more that joins or breaks.
const localMembers = 3

func startLocal(ctx context.Context, log io.Writer, members int, edit ...func(*localcluster.Options)) (Environment, error) {
	dir, err := os.MkdirTemp("", "fedctl-e2e-")
	if err != nil {
		return nil, err
	}
	options := localcluster.Options{
		Dir:           filepath.Join(dir, "clusters"),
		Members:       members,
		GPUMembers:    1,
		DieWithParent: true,
		Log:           log,
	}
	for _, change := range edit {
		change(&options)
	}
	fleet, err := localcluster.Up(ctx, options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting local clusters: %w", err), os.RemoveAll(dir))
	}
	env, err := newLocal(fleet, dir)
	if err != nil {
		return nil, errors.Join(err, fleet.Down(ctx), os.RemoveAll(dir))
	}
	return env, nil
}

// attach uses local clusters that run already.
func attach(dir string) (Environment, error) {
	fleet, err := localcluster.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("$%s: %w", DirEnv, err)
	}
	return newLocal(fleet, "")
}

func newLocal(fleet *localcluster.Fleet, dir string) (*local, error) {
	l := &local{fleet: fleet, dir: dir}
	for i, c := range fleet.Clusters() {
		config, err := fleet.Config(c.Name)
		if err != nil {
			return nil, err
		}
		cluster, err := newCluster(c.Name, config)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			l.host = cluster
		} else {
			l.members = append(l.members, cluster)
		}
	}
	return l, nil
}

func (l *local) Host() *Cluster      { return l.host }
func (l *local) Members() []*Cluster { return l.members }
func (l *local) Kubeconfig() string  { return l.fleet.KubeconfigPath() }
func (l *local) Faults() Faults      { return l.fleet }
func (l *local) Installed() bool     { return false }

func (l *local) Close(ctx context.Context) error {
	if l.dir == "" {
		return nil
	}
	return errors.Join(l.fleet.Down(ctx), os.RemoveAll(l.dir))
}
