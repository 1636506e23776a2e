//go:build node

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// nodePrograms run on real nodes.
var nodePrograms = map[string]func() int{
	"kubelet":    func() int { return cli.Run(kubeletCommand(kubelet.NewKubeletCommand)) },
	"kubeadm":    runKubeadm,
	"kube-proxy": func() int { return cli.Run(proxy.NewProxyCommand()) },
}

// kubeletCommand is the command of a kubelet. In older versions what makes it takes no context.
func kubeletCommand(of any) *cobra.Command {
	if earlier, ok := of.(func() *cobra.Command); ok {
		return earlier()
	}
	return of.(func(context.Context) *cobra.Command)(context.Background())
}

// runKubeadm takes the name it is called by for its own, which is also right where
// the binary is called by its own name. What kubeadm's own main does with an error is in
// another package from version to version.
func runKubeadm() int {
	os.Args[0] = "kubeadm"
	if err := kubeadm.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}
