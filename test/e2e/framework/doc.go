// Package framework gives the end-to-end suite its clusters, the control plane
// under test and the means to look at both. It makes no assertions: its
// functions return errors, and the specs decide what they mean.
//
// The clusters come from an Environment: local clusters of internal/localcluster,
// which the suite starts itself, or any clusters of a kubeconfig, such as kind's,
// where the control plane has been installed before.
//
// It may import client libraries, internal/localcluster and pkg/federate's names;
// never the code under test, which runs in processes of its own.
package framework
