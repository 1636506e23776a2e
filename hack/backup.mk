# The programs that the tests of backups use beside fedctl's own: an S3 server and
# kopia's command line. Included by the Makefile at the top.

BACKUP_TOOLS := bin/versitygw bin/kopia

bin/versitygw: hack/backup/go.mod hack/backup/go.sum
	@echo "Building $@, an S3 server (some minutes, once)"
	@cd hack/backup && go build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/versity/versitygw/cmd/versitygw
bin/kopia: hack/backup/go.mod hack/backup/go.sum
	@echo "Building $@ (some minutes, once)"
	@cd hack/backup && go build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/kopia/kopia

.PHONY: bench-backup
bench-backup: bin/kubernetes ## measure backups against a plain LIST, on a real control plane; ARGS="--objects 20000"
	go run ./test/bench-backup $(ARGS)
