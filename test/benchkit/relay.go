package benchkit

import (
	"context"
	"net"
	"time"
)

// Relay connects who comes to a server that is as far away as delay, there and back, until ctx
// ends. It returns the address to come to.
func Relay(ctx context.Context, server string, delay time.Duration) (address string, err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go serve(ctx, listener, server, delay/2)
	return listener.Addr().String(), nil
}

// serve connects who comes to the server, until ctx ends.
func serve(ctx context.Context, listener net.Listener, server string, delay time.Duration) {
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		far, err := (&net.Dialer{}).DialContext(ctx, "tcp", server)
		if err != nil {
			_ = near.Close()
			continue
		}
		go carry(far, near, delay)
		go carry(near, far, delay)
	}
}

// carry copies what one side sends to the other, each piece after the delay, and not one after
// the other: a line is long, not narrow.
func carry(to, from net.Conn, delay time.Duration) {
	type piece struct {
		at   time.Time
		data []byte
	}
	const onTheWay = 10_000
	line := make(chan piece, onTheWay)
	go func() {
		defer close(line)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if n > 0 {
				line <- piece{time.Now().Add(delay), data[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	var err error
	for p := range line {
		if err == nil {
			time.Sleep(time.Until(p.at))
			_, err = to.Write(p.data)
		}
	}
	_ = to.Close() // both ends are gone, or go
	_ = from.Close()
}
