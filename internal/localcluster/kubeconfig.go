package localcluster

import (
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// writeKubeconfig writes the fleet's kubeconfig: a context per cluster, called
// like the cluster; the host's is the current one.
func (f *Fleet) writeKubeconfig() error {
	config := clientcmdapi.NewConfig()
	for _, cluster := range f.clusters {
		if err := cluster.addTo(config, cluster.Name, "admin"); err != nil {
			return err
		}
	}
	config.CurrentContext = HostName
	return writeConfig(f.KubeconfigPath(), config)
}

// writeComponentConfigs writes the kubeconfigs of the cluster's own programs.
func (c *Cluster) writeComponentConfigs() error {
	for _, component := range []string{ControllerManager, Scheduler, Kwok} {
		config := clientcmdapi.NewConfig()
		if err := c.addTo(config, c.Name, component); err != nil {
			return err
		}
		config.CurrentContext = c.Name
		if err := writeConfig(c.componentConfig(component), config); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) componentConfig(component string) string {
	return filepath.Join(c.Dir, component+".kubeconfig")
}

func writeConfig(path string, config *clientcmdapi.Config) error {
	data, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return writeFile(path, data)
}
