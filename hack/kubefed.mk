# KubeFed's own programs, for the suites that hold fedctl against them. Included
# by the Makefile at the top.

KUBEFED_VERSION := v0.10.0

bin/kubefedctl bin/kubefed-controller-manager &: hack/kubefed/go.mod hack/kubefed/go.sum
	@echo "Building KubeFed $(KUBEFED_VERSION)'s kubefedctl and controller-manager (the first time some minutes)"
	@mkdir -p bin
	@cd hack/kubefed && for program in kubefedctl controller-manager; do \
		go build -o $(CURDIR)/bin/$$program.new \
			-ldflags "-s -w -X sigs.k8s.io/kubefed/pkg/version.version=$(KUBEFED_VERSION)" sigs.k8s.io/kubefed/cmd/$$program; done
	@mv bin/controller-manager.new bin/kubefed-controller-manager
	@mv bin/kubefedctl.new bin/kubefedctl
