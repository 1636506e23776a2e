# The suites that hold what comes of a change against KubeFed and against a creation.
# Included by the Makefile at the top.

# Suites that take too long for "make test".
NIGHTLY_SUITES := test/differential test/upgrade test/conformance

.PHONY: differential
differential: build bin/kubernetes bin/kubefedctl bin/kubefed-controller-manager ## KubeFed's own controller beside ours, case by case; ARGS="-run TestDifferential/cases/drift"
	@mkdir -p dist
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin FEDCTL_DIFFERENTIAL_REPORT=$(CURDIR)/dist/differential.md \
		go test ./test/differential -count=1 -v -timeout 30m $(ARGS)

.PHONY: differential-table
differential-table: ## write what the cases show into docs/kubefed.md
	go test ./test/differential/cases -count=1 -run TestDocsHoldTheTable -update

.PHONY: convergence
convergence: build bin/kubernetes ## every type: an update ends where a creation would; ARGS="-seed 7 -pairs 'services:*'"
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin go test ./test/convergence -count=1 -v -timeout 40m -full $(ARGS)
