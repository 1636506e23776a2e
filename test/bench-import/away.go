package main

import (
	"context"
	"net/url"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/benchkit"
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
	if server.Host, err = benchkit.Relay(ctx, server.Host, delay); err != nil {
		return nil, err
	}
	host.Server = server.String()
	if err := clientcmd.WriteToFile(*raw, to); err != nil {
		return nil, err
	}
	return clientcmd.NewDefaultClientConfig(*raw, &clientcmd.ConfigOverrides{CurrentContext: localcluster.HostName}).ClientConfig()
}
