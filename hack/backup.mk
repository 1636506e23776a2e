# The programs that the tests of backups use beside fedctl's own: servers of S3's,
# Google Cloud Storage's and Azure Blob Storage's APIs, and kopia's command line.
# Included by the Makefile at the top.

BACKUP_TOOLS := bin/versitygw bin/fake-gcs-server bin/azurite bin/kopia

bin/versitygw: hack/backup/go.mod hack/backup/go.sum
	@echo "Building $@, an S3 server (some minutes, once)"
	@cd hack/backup && go build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/versity/versitygw/cmd/versitygw
bin/fake-gcs-server: hack/backup/go.mod hack/backup/go.sum
	@echo "Building $@, a server of Google Cloud Storage's API (some minutes, once)"
	@cd hack/backup && go build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/fsouza/fake-gcs-server
bin/azurite: hack/backup/azurite/package.json hack/backup/azurite/package-lock.json
	@mkdir -p bin; if ! command -v npm >/dev/null; then echo "There is no npm: the tests that need Azurite will be skipped"; exit 0; fi; \
	echo "Installing $@, a server of Azure Blob Storage's API"; \
	npm ci --prefix hack/backup/azurite --no-audit --no-fund --loglevel=error >/dev/null; \
	printf '#!/bin/sh\nexec node "%s" "$$@"\n' "$(CURDIR)/hack/backup/azurite/node_modules/azurite/dist/src/blob/main.js" >$@; chmod +x $@
bin/kopia: hack/backup/go.mod hack/backup/go.sum
	@echo "Building $@ (some minutes, once)"
	@cd hack/backup && go build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/kopia/kopia

.PHONY: backup-long
backup-long: build bin/kubernetes $(BACKUP_TOOLS) ## the specs of backups that take long
	FEDCTL_E2E_PROGRAMS=$(CURDIR)/bin go test ./test/backup -count=1 -v -timeout 3h -ginkgo.label-filter=long

.PHONY: bench-backup
bench-backup: bin/kubernetes ## measure backups against a plain LIST, on a real control plane; ARGS="--objects 20000"
	go run ./test/bench-backup $(ARGS)
