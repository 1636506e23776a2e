package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// build compiles the programs for a platform into a folder. They are the same bytes
// wherever that is done with the same sources, version of Go, and version given.
func build(ctx context.Context, o *options, platform v1.Platform, folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, program := range programs {
		fmt.Printf("Building %s for %s\n", program, platform.String())
		// #nosec G204 -- the programs are ours, the rest is given by who runs this
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false",
			"-ldflags", "-s -w -X github.com/fedctl/fedctl/internal/version.version="+o.version,
			"-o", filepath.Join(folder, program), "./cmd/"+program)
		cmd.Dir = o.root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "GOFLAGS=")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s for %s: %w", program, platform.String(), err)
		}
	}
	return nil
}
