# make demo       set everything up and watch federated objects land in member clusters
# make demo-down  remove the demo
# make test       vet, unit tests, fuzz seeds, and all suites on real control planes
# make verify     generated code up to date, modules tidy, linters
# make bench      the engine against plain client-go, on real control planes
# make help       all targets

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
IMAGE ?= ghcr.io/fedctl/controller:$(VERSION)
IMAGE_PLATFORMS ?= linux/amd64,linux/arm64
GOLANGCI_LINT_VERSION := v2.15.0
ACTIONLINT_VERSION := v1.7.12
GOVULNCHECK_VERSION := v1.9.0
CYCLONEDX_VERSION := v1.10.0
# Programs, tests and linters are compiled alike, so that each package is compiled
# once; without cgo, nothing is linked by the C compiler.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath $(GOFLAGS)
GO_LDFLAGS := -s -w -X github.com/fedctl/fedctl/internal/version.version=$(VERSION)

include hack/kubernetes.mk
include hack/generate.mk
include hack/e2e.mk
include hack/backup.mk
include hack/kubefed.mk
include hack/catalog.mk
include hack/differential.mk
include hack/fleet.mk
include hack/conformance.mk
include hack/release.mk

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-zA-Z0-9_.\/-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: bin/fedctl bin/controller ## build fedctl and the controller

# Go decides what is up to date; its build cache makes a build of nothing cheap.
.PHONY: bin/fedctl bin/controller
bin/fedctl:
	@echo "Building bin/fedctl (a first build compiles Kubernetes' client libraries: some minutes)"
	@go build -ldflags "$(GO_LDFLAGS)" -o $@ ./cmd/fedctl
bin/controller:
	@echo "Building bin/controller"
	@go build -ldflags "$(GO_LDFLAGS)" -o $@ ./cmd/controller

.PHONY: install
install: bin/fedctl ## install fedctl, and kubectl's plugin "kubectl fed", into GOBIN
	@bindir=$$(go env GOBIN); bindir=$${bindir:-$$(go env GOPATH)/bin}; mkdir -p "$$bindir"; \
	install bin/fedctl "$$bindir/fedctl"; ln -sf fedctl "$$bindir/kubectl-fed"; echo "Installed fedctl and kubectl-fed in $$bindir"

.PHONY: demo demo-down
demo: build bin/kubernetes ## set everything up and show the main job
	@hack/demo/demo.sh up
demo-down: bin/fedctl ## remove the demo
	@hack/demo/demo.sh down

.PHONY: test test-unit test-clusters
test: test-unit test-clusters ## all tests
test-unit: ## vet, unit tests and fuzz seeds: no cluster needed
	go vet ./...
	go test $$(go list ./... | grep -v -E '$(SUITES_PATTERN)')
	cd hack/image && go vet ./... && go test ./...
	cd hack/helm && go vet ./... && go test .
	cd hack/monitoring && go vet . && go test .
	cd hack/release && go vet . && go test .
test-clusters: build bin/kubernetes bin/kubefedctl bin/kubefed-controller-manager bin/test-broker $(BACKUP_TOOLS) ## the suites on real control planes
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin go test -count=1 -p 3 -timeout 40m $(addprefix ./,$(SUITES))

# The packages whose tests start control planes, those first that take longest. They
# wait more than they compute: three at a time keep two cores busy.
SUITES := test/e2e test/backup test/deletion internal/cli/install test/kubefed test/controlplane test/hostlost test/fencing test/hostile test/fleetapi test/autoscaling test/servicecatalog \
	pkg/backup/restore pkg/membership pkg/join internal/localcluster pkg/backup/capture pkg/backup/repository \
	internal/cli/migrate internal/cli/federate pkg/typeconfig pkg/propagation/member test/convergence
empty :=
SUITES_PATTERN := /($(subst $(empty) ,|,$(strip $(SUITES) $(NIGHTLY_SUITES))))$$

.PHONY: bench
bench: build bin/kubernetes ## measure the engine; ARGS="--objects 2000 --members 5"
	go run ./test/bench $(ARGS)
.PHONY: bench-render
bench-render: ## measure rendering with policies, in memory; ARGS="--objects 1000 --clusters 100"
	go run ./test/bench-render $(ARGS)
.PHONY: bench-capacity
bench-capacity: build bin/kubernetes ## measure what a member of 5,000 nodes and 100,000 pods takes in the controller; ARGS="--nodes 1000 --pods 20000"
	go run ./test/bench-capacity $(ARGS)
.PHONY: bench-import
bench-import: build bin/kubernetes ## measure fedctl import and export on a real control plane; ARGS="--objects 20000"
	go run ./test/bench-import $(ARGS)

.PHONY: verify lint verify-generated verify-tidy verify-scripts
verify: verify-tidy lint verify-scripts verify-generated ## what CI checks beside the tests
lint: bin/golangci-lint
	bin/golangci-lint run ./...
verify-tidy:
	@hack/verify-tidy.sh
verify-scripts:
	@hack/verify-scripts.sh $(ACTIONLINT_VERSION)
verify-generated:
	@hack/verify-generated.sh

bin/golangci-lint:
	@echo "Building golangci-lint $(GOLANGCI_LINT_VERSION) (some minutes, once)"
	@GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

.PHONY: sbom vulncheck
sbom: ## write what the programs are made of (CycloneDX) into dist/
	@mkdir -p dist; for program in controller fedctl; do \
	  go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_VERSION) app -json -output dist/$$program.cdx.json -main cmd/$$program . || exit 1; \
	  echo "dist/$$program.cdx.json"; done
vulncheck: ## look for known vulnerabilities in what is called (needs vuln.go.dev)
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./cmd/...

.PHONY: fuzz
fuzz: ## fuzz the parsers and the renderer; FUZZTIME=1m
	@hack/fuzz.sh $(or $(FUZZTIME),1m)

# In dist/: an OCI image layout of all platforms, an archive of this machine's for engines
# that load one, and what is in it (SPDX). Two builds of a commit are one digest.
.PHONY: image
image: ## build the controller's image, without a container engine; IMAGE_PUSH=1 pushes it
	cd hack/image && go run . --root $(CURDIR) --dist $(CURDIR)/dist --reference $(IMAGE) --platforms $(IMAGE_PLATFORMS) --version $(VERSION) \
	  --revision "$$(git rev-parse HEAD 2>/dev/null)" --created "$$(git log -1 --format=%ct 2>/dev/null || echo 0)" $(if $(IMAGE_PUSH),--push)

.PHONY: clean
clean: demo-down ## remove what was built
	rm -rf bin dist .local hack/backup/azurite/node_modules
