.PHONY: generate
generate: ## write generated code, CRDs and type configurations again
	go run ./hack/generate
