# The end-to-end suite. Included by the Makefile at the top.

.PHONY: e2e e2e-kind node-image
e2e: bin/kubernetes ## the end-to-end suite on local clusters; GINKGO_ARGS=-ginkgo.focus=Placement
	go test ./test/e2e -count=1 -v -timeout 30m $(GINKGO_ARGS)
e2e-kind: ## the end-to-end suite on kind clusters, with pods that run (needs Docker); LABELS=kubelet
	@hack/kind/e2e.sh
node-image: ## a node image for kind, where no registry gives one (needs root, Docker and debootstrap)
	@hack/kind/node-image/build.sh

.PHONY: fencing
fencing: build bin/kubernetes ## two controllers that are paused and killed at any time, with 1,000 objects
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin go test ./test/fencing -count=1 -v -timeout 110m -ginkgo.label-filter=long

.PHONY: upgrade
upgrade: build bin/kubernetes ## the previous release's control plane to this one's and back, on real clusters; FEDCTL_PREVIOUS=v1.2.3
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin go test ./test/upgrade -count=1 -v -timeout 40m $(ARGS)
