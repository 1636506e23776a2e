package framework

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Programs are the built programs under test.
type Programs struct {
	Fedctl, Controller string

	kubeconfig string
	host       string
}

// Root returns the top directory of the checkout that the suite runs in.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("the suite must run inside the checkout: there is no go.mod in or above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

// Build returns the programs that ProgramsEnv names, or builds them into dir; env's
// clusters are those that fedctl works on.
func Build(ctx context.Context, dir string, env Environment) (*Programs, error) {
	if built := os.Getenv(ProgramsEnv); built != "" {
		dir = built
	} else if err := build(ctx, dir); err != nil {
		return nil, err
	}
	return &Programs{
		Fedctl:     filepath.Join(dir, "fedctl"),
		Controller: filepath.Join(dir, "controller"),
		kubeconfig: env.Kubeconfig(),
		host:       env.Host().Name,
	}, nil
}

func build(ctx context.Context, dir string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", "build", "-o", dir+string(filepath.Separator), "./cmd/fedctl", "./cmd/controller")
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building fedctl and the controller: %w\n%s", err, out)
	}
	return nil
}

// With are the same programs with another kubeconfig, which has the host's context as well.
func (p *Programs) With(kubeconfig string) *Programs {
	other := *p
	other.kubeconfig = kubeconfig
	return &other
}

// Run runs fedctl on the environment's clusters and returns what it printed on
// standard output; the error holds what it printed on standard error, and wraps
// *exec.ExitError.
func (p *Programs) Run(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, p.Fedctl, append(args, "--kubeconfig", p.kubeconfig, "--host-cluster-context", p.host)...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("fedctl %s: %w\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}
