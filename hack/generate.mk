.PHONY: generate
generate: ## write generated code, CRDs, type configurations and charts again
	go run ./hack/generate
