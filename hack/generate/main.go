// Command generate writes what config/ ships of generated files:
//
//	config/crd/core    CustomResourceDefinitions of KubeFed's own API, from its Go types
//	config/crd/backup, config/crd/cluster, config/crd/fedctl, config/crd/policy
//	                   those of our own API groups, from pkg/api (with its deep-copy code)
//	config/crd/types   those of the default federated types, from the schemas of their targets
//	config/types       the FederatedTypeConfigs of the same
//	pkg/api/fleet      the OpenAPI definitions of the API that fedctl itself serves
//
// and has hack/charts write the Helm charts of it.
//
// Run it from the root of the repository. The schemas of Kubernetes' own types are
// read from hack/generate/openapi, so that the result depends on this repository
// only; --snapshot CONTEXT refreshes them from an API server.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const (
	controllerGen = "sigs.k8s.io/controller-tools/cmd/controller-gen@v0.21.0"
	openAPIGen    = "k8s.io/kube-openapi/cmd/openapi-gen@v0.0.0-20260317180543-43fb72c5454a" // as in go.mod
)

func main() {
	from := flag.String("snapshot", "", "context in $KUBECONFIG of the API server to take new schemas from, instead of generating")
	flag.Parse()
	run := generate
	if *from != "" {
		run = func() error { return snapshot(*from) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate() error {
	for _, step := range []func() error{deepCopy, ownCRDs, fleetOpenAPI, coreCRDs, federatedTypes, charts} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func deepCopy() error {
	return runControllerGen("object", "paths=./pkg/api/...")
}

func ownCRDs() error {
	for _, group := range []string{"backup", "cluster", "fedctl", "policy"} {
		dir := filepath.Join("config", "crd", group)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := runControllerGen("crd", "paths=./pkg/api/"+group+"/...", "output:crd:dir="+dir); err != nil {
			return err
		}
	}
	return nil
}

// fleetOpenAPI describes the types of an API that has no CRD: an API server of ours serves it.
func fleetOpenAPI() error {
	const dir = "pkg/api/fleet/v1alpha1"
	return goRun(openAPIGen, "--output-dir="+dir, "--output-pkg=github.com/fedctl/fedctl/"+dir,
		"--output-file=zz_generated.openapi.go", "--output-model-name-file=zz_generated.model_name.go",
		"--go-header-file="+os.DevNull, "./"+dir)
}

func runControllerGen(args ...string) error { return goRun(controllerGen, args...) }

// charts writes the Helm charts, in a process that has the files written above compiled in.
func charts() error { return goRun("./hack/charts") }

// goRun runs a generator, of a version of its own or of ours.
func goRun(program string, args ...string) error {
	command := exec.CommandContext(context.Background(), "go", append([]string{"run", program}, args...)...)
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s %v: %w", program, args, err)
	}
	return nil
}
