// Command kubernetes is etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler, kwok and kubectl in one binary. Which of them runs is
// decided by the name it is called by (a symbolic link) or, when it is called
// by its own name, by its first argument: "kubernetes kubectl get pods".
//
// One binary, because the six share nearly all of their code: linked apart
// they would take five times the disk and the link time.
//
// Built with the tag "node" it is what runs on a kind node: kubelet, kubeadm and
// kube-proxy are in it, and kwok, which plays kubelets, is not (hack/kind/node-image).
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/component-base/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// commands maps each program's name to the function that runs it with
// os.Args and returns its exit code. What depends on what is built is in nodePrograms.
var commands = map[string]func() int{
	"etcd": func() int {
		etcdmain.Main(os.Args)
		return 0
	},
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
	"kubectl":                 runKubectl,
}

func init() { maps.Copy(commands, nodePrograms) }

func main() {
	name := filepath.Base(os.Args[0])
	run, ok := commands[name]
	if !ok && len(os.Args) > 1 {
		name = os.Args[1]
		if name == "version" {
			fmt.Println(version.Get().GitVersion)
			return
		}
		run, ok = commands[name]
		os.Args = os.Args[1:]
	}
	if !ok {
		fmt.Fprintf(os.Stderr, "usage: kubernetes version | kubernetes PROGRAM [ARG ...]\nPROGRAM is one of %s\n", programs())
		os.Exit(2)
	}
	os.Exit(run())
}

func programs() string {
	names := make([]string, 0, len(commands))
	for name := range commands {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func runKubectl() int {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
		return 1
	}
	return 0
}
