// Package freeport finds ports of the loopback address for servers that are started by hand.
// It imports nothing of the project.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Loopback is the address on which they are looked for.
const Loopback = "127.0.0.1"

// Range is a range of ports. Those are to be below the range that systems give to outgoing
// connections: a port there could be lost to one while its server is stopped.
type Range struct{ First, Last int }

// Find returns a port that nobody listens on and that is not in taken. Nothing reserves it:
// whoever binds it must be ready to lose the race.
func (r Range) Find(taken map[int]bool) (int, error) {
	for range 1000 {
		port := r.First + rand.IntN(r.Last-r.First) //nolint:gosec // no secret: a port to try
		if !taken[port] && IsFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d was found", r.First, r.Last)
}

// IsFree reports whether a server can listen on the port.
func IsFree(port int) bool {
	listener, err := net.Listen("tcp4", net.JoinHostPort(Loopback, strconv.Itoa(port))) //nolint:noctx // returns at once
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
