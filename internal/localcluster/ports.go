package localcluster

import (
	"fmt"
	"strconv"

	"github.com/fedctl/fedctl/internal/freeport"
)

// freePorts are those of clusters.
var freePorts = freeport.Range{First: firstFreePort, Last: lastFreePort}

const (
	firstFreePort = 20000
	lastFreePort  = 30000
)

// loopback is the only address anything listens on.
const loopback = freeport.Loopback

// FreePort returns a port of the loopback address that nobody listens on, from the same
// range as those of clusters, for a program that runs beside them.
func FreePort() (int, error) { return freePorts.Find(nil) }

// assignPorts returns a port for each of n clusters, the host first: base,
// base+1 …, or free ones when base is 0. The error names the ports in use.
func assignPorts(base, n int) ([]int, error) {
	ports := make([]int, 0, n)
	if base != 0 {
		for i := range n {
			if !freeport.IsFree(base + i) {
				return nil, portError(clusterName(i), base+i)
			}
			ports = append(ports, base+i)
		}
		return ports, nil
	}
	taken := map[int]bool{}
	for range n {
		port, err := freePorts.Find(taken)
		if err != nil {
			return nil, err
		}
		taken[port] = true
		ports = append(ports, port)
	}
	return ports, nil
}

func portError(cluster string, port int) error {
	return fmt.Errorf("port %d of cluster %s is in use by another program: end that program or choose other ports with --ports", port, cluster)
}

// clusterName names the cluster with index i: the host is 0.
func clusterName(i int) string {
	if i == 0 {
		return HostName
	}
	return "member-" + strconv.Itoa(i)
}

// HostName is the name of the host cluster and of its context.
const HostName = "host"
