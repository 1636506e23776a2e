# The service broker that the suite of Service Catalog's resources provisions from.
# Included by the Makefile at the top.

bin/test-broker: hack/catalog/go.mod hack/catalog/go.sum
	@echo "Building $@, a server of the Open Service Broker API (some minutes, once)"
	@cd hack/catalog && go build -ldflags "-s -w" -o $(CURDIR)/$@ github.com/kubernetes-sigs/service-catalog/contrib/cmd/test-broker
