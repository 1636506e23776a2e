package main

import (
	"context"
	"net"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// away writes a kubeconfig whose host is as far away as delay, there and back.
func away(ctx context.Context, kubeconfig, to string, delay time.Duration) (*rest.Config, error) {
	raw, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	host := raw.Clusters[raw.Contexts[localcluster.HostName].Cluster]
	server, err := url.Parse(host.Server)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go serve(ctx, listener, server.Host, delay/2)
	server.Host = listener.Addr().String()
	host.Server = server.String()
	if err := clientcmd.WriteToFile(*raw, to); err != nil {
		return nil, err
	}
	return clientcmd.NewDefaultClientConfig(*raw, &clientcmd.ConfigOverrides{CurrentContext: localcluster.HostName}).ClientConfig()
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
