# Kubernetes' own specs of API machinery, run against a member directly and through the API
# of the fleet. Included by the Makefile at the top.

bin/conformance: hack/kubernetes/conformance/main.go hack/kubernetes/go.mod hack/kubernetes/go.sum
	@echo "Building $@, Kubernetes' end-to-end specs of API machinery (some minutes, once)"
	@cd hack/kubernetes && go build -ldflags "-s -w" -o $(CURDIR)/$@ ./conformance

.PHONY: conformance
conformance: build bin/kubernetes bin/conformance ## Kubernetes' own API-machinery specs through the API of the fleet give what they give directly; nightly
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin go test ./test/conformance -count=1 -v -timeout 60m $(ARGS)
