.PHONY: generate
generate: ## write generated code, CRDs, type configurations and charts again
	go run ./hack/generate

# The module that tests the charts has Helm.
.PHONY: chart-releases
chart-releases: build bin/kubernetes ## install, upgrade, roll back and remove the charts with Helm on real control planes
	cd hack/helm && FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin FEDCTL_KUBERNETES=$(CURDIR)/bin/kubernetes go test ./releases -count=1 -v -timeout 30m
