package framework

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// ContainersEnv is how the containers are called in which the nodes of the clusters run,
// with CLUSTER in the place of a cluster's name. A cluster has one node.
const ContainersEnv = "FEDCTL_E2E_CONTAINERS"

// Containers are nodes that run in containers of an engine: as Faults they break whole
// nodes, kubelet and pods with them.
type Containers struct{ pattern string }

// containers returns nil where nodes are in no containers that could be broken.
func containers() Faults {
	pattern := os.Getenv(ContainersEnv)
	if pattern == "" {
		return nil
	}
	return &Containers{pattern: pattern}
}

// StopMember implements Faults.
func (c *Containers) StopMember(ctx context.Context, name string) error {
	return c.engine(ctx, "stop", c.of(name))
}

// StartMember implements Faults.
func (c *Containers) StartMember(ctx context.Context, name string) error {
	return c.engine(ctx, "start", c.of(name))
}

// Pause implements Faults.
func (c *Containers) Pause(name string) error {
	return c.engine(context.Background(), "pause", c.of(name))
}

// Resume implements Faults.
func (c *Containers) Resume(name string) error {
	return c.engine(context.Background(), "unpause", c.of(name))
}

// Shell runs a script on the node of a cluster, with the arguments, and returns what it
// prints.
func (c *Containers) Shell(ctx context.Context, name, script string, args ...string) (string, error) {
	return c.output(ctx, append([]string{"exec", c.of(name), "sh", "-ec", script, "sh"}, args...)...)
}

func (c *Containers) of(name string) string { return strings.ReplaceAll(c.pattern, "CLUSTER", name) }

func (c *Containers) engine(ctx context.Context, args ...string) error {
	_, err := c.output(ctx, args...)
	return err
}

func (c *Containers) output(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}
