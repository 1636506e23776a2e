# What a release is made with. Included by the Makefile at the top.

bin/goreleaser: hack/release/go.mod hack/release/go.sum
	@echo "Building $@ (some minutes, once)"
	@cd hack/release && go build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/goreleaser/goreleaser/v2

# In dist/release: archives, checksums, what the programs are made of, krew's manifest. The
# tests look at all of it, with krew's own program and kubectl.
.PHONY: release-snapshot
release-snapshot: bin/goreleaser bin/kubernetes ## build fedctl as a release has it, for all platforms, and publish nothing
	bin/goreleaser check
	bin/goreleaser release --snapshot --clean --skip=sign
	hack/release/charts.sh v0.0.0-snapshot
	cd hack/release && FEDCTL_RELEASE=$(CURDIR)/dist/release FEDCTL_KUBERNETES=$(CURDIR)/bin/kubernetes go test . -count=1
