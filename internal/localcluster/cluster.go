package localcluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Cluster is one cluster of a fleet.
type Cluster struct {
	// Name is "host" or "member-N"; the kubeconfig context is called the same.
	Name string
	// Endpoint is the URL of the API server.
	Endpoint string
	// Region is the value of topology.kubernetes.io/region on the cluster's nodes.
	Region string
	// GPU says that the cluster has GPU nodes.
	GPU bool
	// Dir holds the cluster's data, certificates and logs.
	Dir string

	fleet *Fleet
	state clusterState
}

func newCluster(fleet *Fleet, state clusterState) *Cluster {
	return &Cluster{
		Name:     state.Name,
		Endpoint: "https://" + net.JoinHostPort(loopback, strconv.Itoa(state.Port)),
		Region:   region(state.Index),
		GPU:      state.GPUNodes > 0,
		Dir:      filepath.Join(fleet.dir, clustersDir, state.Name),
		fleet:    fleet,
		state:    state,
	}
}

// LogPath returns the path of a component's log.
func (c *Cluster) LogPath(component string) string {
	return filepath.Join(c.Dir, "logs", component+".log")
}

// Components returns the components the cluster is made of.
func (c *Cluster) Components() []string {
	return slices.DeleteFunc(slices.Clone(Components), func(name string) bool {
		return slices.Contains(c.fleet.state.Without, name)
	})
}

func (c *Cluster) pki(file string) string { return filepath.Join(c.Dir, "pki", file) }

// frontProxy is beside pki, so that clusters of an earlier release get it as well.
func (c *Cluster) frontProxy(file string) string { return filepath.Join(c.Dir, "front-proxy", file) }

// record is the file that holds the identity of a component's process.
func (c *Cluster) record(component string) string {
	return filepath.Join(c.Dir, "run", component+".json")
}

func (c *Cluster) process(component string) process { return readProcess(c.record(component)) }

// running returns the components that have a live process.
func (c *Cluster) running() []string {
	return slices.DeleteFunc(c.Components(), func(name string) bool { return !c.process(name).alive() })
}

// serviceNetwork differs between clusters, so that an address copied from one
// to another is refused there and not accepted by luck.
func (c *Cluster) serviceNetwork() string { return fmt.Sprintf("10.%d.0.0/16", 120+c.state.Index) }

func (c *Cluster) serviceIP() net.IP { return net.IPv4(10, byte(120+c.state.Index), 0, 1) } //nolint:gosec // Index counts clusters of one machine

// config returns the administrator's client configuration.
func (c *Cluster) config() (*rest.Config, error) {
	ca, cert, key, err := c.credentials("admin")
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	return &rest.Config{
		Host:            c.Endpoint,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca, CertData: cert, KeyData: key},
		QPS:             -1,
	}, nil
}

// credentials returns the authority's certificate and a user's certificate and key.
func (c *Cluster) credentials(user string) (ca, cert, key []byte, err error) {
	if ca, err = os.ReadFile(c.pki(caFile)); err != nil {
		return nil, nil, nil, err
	}
	if cert, err = os.ReadFile(c.pki(user + ".crt")); err != nil {
		return nil, nil, nil, err
	}
	key, err = os.ReadFile(c.pki(user + ".key"))
	return ca, cert, key, err
}

// addTo adds the cluster, the user and a context, all called name, to a kubeconfig.
func (c *Cluster) addTo(config *clientcmdapi.Config, name, user string) error {
	ca, cert, key, err := c.credentials(user)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	config.Clusters[name] = &clientcmdapi.Cluster{Server: c.Endpoint, CertificateAuthorityData: ca}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	return nil
}

// logTail returns the last lines of a component's log that may say why it
// failed, indented.
func (c *Cluster) logTail(component string, lines int) string {
	data, err := os.ReadFile(c.LogPath(component))
	if err != nil {
		return ""
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		if len(line) > 400 {
			line = line[:400] + " …"
		}
		all[i] = "  " + line
	}
	return strings.Join(all, "\n")
}
