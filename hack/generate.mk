.PHONY: generate
generate: ## write generated code, CRDs, type configurations and charts again
	go run ./hack/generate

# The module that tests the charts has Helm.
.PHONY: chart-releases
chart-releases: build bin/kubernetes ## Helm's library on real control planes: the charts as releases, and releases in a member through the host
	cd hack/helm && FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin FEDCTL_KUBERNETES=$(CURDIR)/bin/kubernetes go test ./releases ./members -p 1 -count=1 -v -timeout 30m
