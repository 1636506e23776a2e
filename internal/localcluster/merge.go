package localcluster

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// MergedPrefix precedes the cluster's name in a user's own kubeconfig, where
// "host" alone would say too little.
const MergedPrefix = "fedctl-local-"

// MergeKubeconfig adds a context per cluster, fedctl-local-NAME, to the
// kubeconfig at path, and makes none of them the current one. Down takes them
// out again.
func (f *Fleet) MergeKubeconfig(path string) error {
	// A link stays a link: what it points to is replaced.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	config, err := loadConfig(path)
	if err != nil {
		return err
	}
	for _, cluster := range f.clusters {
		if err := cluster.addTo(config, MergedPrefix+cluster.Name, "admin"); err != nil {
			return err
		}
	}
	// Written down first: contexts that nobody remembers would never be removed.
	f.state.MergedInto = path
	if err := f.state.write(f.dir); err != nil {
		return err
	}
	return writeConfig(path, config)
}

// unmerge takes this fleet's contexts out of the kubeconfig they were merged
// into: those whose cluster still has the endpoint we gave it.
func unmerge(dir string) error {
	state, err := readState(dir)
	if err != nil || state.MergedInto == "" {
		return nil //nolint:nilerr // without a readable state nothing is known to have been merged
	}
	config, err := loadConfig(state.MergedInto)
	if err != nil {
		return err
	}
	for _, cluster := range newFleet(dir, state).clusters {
		name := MergedPrefix + cluster.Name
		if there := config.Clusters[name]; there == nil || there.Server != cluster.Endpoint {
			continue
		}
		delete(config.Clusters, name)
		delete(config.AuthInfos, name)
		delete(config.Contexts, name)
		if config.CurrentContext == name {
			config.CurrentContext = ""
		}
	}
	return writeConfig(state.MergedInto, config)
}

func loadConfig(path string) (*clientcmdapi.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return clientcmdapi.NewConfig(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", path, err)
	}
	return config, nil
}
