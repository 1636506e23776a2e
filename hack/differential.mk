# The suite that does the same things to KubeFed and to fedctl. Included by the
# Makefile at the top.

# Suites that take too long for "make test".
NIGHTLY_SUITES := test/differential

.PHONY: differential
differential: build bin/kubernetes bin/kubefedctl bin/kubefed-controller-manager ## KubeFed's own controller beside ours, case by case; ARGS="-run TestDifferential/cases/drift"
	@mkdir -p dist
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin FEDCTL_DIFFERENTIAL_REPORT=$(CURDIR)/dist/differential.md \
		go test ./test/differential -count=1 -v -timeout 30m $(ARGS)
