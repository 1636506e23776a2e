// Package localcluster runs Kubernetes clusters on this machine without
// containers: a host cluster and members, each a real control plane (etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler) of its own, with
// nodes and kubelets played by kwok. All programs come from one multi-call
// binary, bin/kubernetes.
//
// A fleet lives in one directory. What runs is recorded there by process
// identity (process id, start time, boot), never by process id alone, so that a
// later program finds the processes again and never signals a stranger.
//
// "fedctl local", the suites and the benchmark use it. It knows nothing of
// federation and imports only client libraries of Kubernetes.
package localcluster
