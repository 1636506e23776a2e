package localcluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Free ports are taken from below the range that systems give to outgoing
// connections: a port there could be lost to one while its member is stopped.
const (
	firstFreePort = 20000
	lastFreePort  = 30000
)

// loopback is the only address anything listens on.
const loopback = "127.0.0.1"

// portFree reports whether a server can listen on the port.
func portFree(port int) bool {
	listener, err := net.Listen("tcp4", net.JoinHostPort(loopback, strconv.Itoa(port))) //nolint:noctx // returns at once
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// freePort returns a port nobody listens on that is not in taken. Nothing
// reserves it: whoever binds it must be ready to lose the race.
func freePort(taken map[int]bool) (int, error) {
	for range 1000 {
		port := firstFreePort + rand.IntN(lastFreePort-firstFreePort) //nolint:gosec // no secret: a port to try
		if !taken[port] && portFree(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port between 20000 and 30000 was found")
}

// FreePort returns a port of the loopback address that nobody listens on, from the same
// range as those of clusters, for a program that runs beside them.
func FreePort() (int, error) { return freePort(nil) }

// assignPorts returns a port for each of n clusters, the host first: base,
// base+1 …, or free ones when base is 0. The error names the ports in use.
func assignPorts(base, n int) ([]int, error) {
	ports := make([]int, 0, n)
	if base != 0 {
		for i := range n {
			if !portFree(base + i) {
				return nil, portError(clusterName(i), base+i)
			}
			ports = append(ports, base+i)
		}
		return ports, nil
	}
	taken := map[int]bool{}
	for range n {
		port, err := freePort(taken)
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
