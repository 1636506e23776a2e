//go:build node

package main

import (
	"context"
	"os"

	"k8s.io/component-base/cli"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubeadmerrors "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// nodePrograms run on real nodes.
var nodePrograms = map[string]func() int{
	"kubelet":    func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) },
	"kubeadm":    runKubeadm,
	"kube-proxy": func() int { return cli.Run(proxy.NewProxyCommand()) },
}

// runKubeadm takes the name it is called by for its own, which is also right where
// the binary is called by its own name.
func runKubeadm() int {
	os.Args[0] = "kubeadm"
	kubeadmerrors.HandleError(kubeadm.Run())
	return 0
}
