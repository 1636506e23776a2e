# The Kubernetes programs that local clusters run, as one binary. Included by
# the Makefile at the top.

KUBERNETES_VERSION := v1.36.3

bin/kubernetes: hack/kubernetes/main.go hack/kubernetes/kwok.go hack/kubernetes/go.mod hack/kubernetes/go.sum hack/kubernetes/build.sh
	@hack/kubernetes/build.sh $(KUBERNETES_VERSION) $@
