package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func TestUsageErrorsSayWhatFits(t *testing.T) {
	for args, want := range map[string]string{
		"join":              "an argument is missing: fedctl join CLUSTER_NAME [flags]; see fedctl join --help",
		"join a b":          `the arguments ["a" "b"] do not fit: fedctl join CLUSTER_NAME [flags]; see fedctl join --help`,
		"version x":         `the arguments ["x"] do not fit: fedctl version [flags]; see fedctl version --help`,
		"status --nosuch":   "unknown flag: --nosuch; see fedctl status --help",
		"get pods":          `unknown command "pods" for "fedctl get"; to look into members, say into which with --clusters; see fedctl get --help`,
		"backup nosuch":     `unknown command "nosuch" for "fedctl backup"; see fedctl backup --help`,
		"migrate nosuch":    `unknown command "nosuch" for "fedctl migrate"; see fedctl migrate --help`,
		"nosuch":            `unknown command "nosuch" for "fedctl"`,
		"join x --rbac all": `--rbac takes namespaces, types, usual or admin, not "all"`,
		"join x -o wide":    `--output takes json, yaml or name, not "wide"`,
		"unjoin x -o yaml":  `--output takes name, not "yaml"`,
		"disable x -o json": `--output takes name, not "json"`,
		"uninstall -o json": `--output takes name, not "json"`,
		"install --kubefed-namespace webhook -o name": "a control plane cannot be in the namespace webhook",
		"backup restore x":                            `required flag(s) "repository" not set`,
		"backup run x -o wide":                        `--output takes json, yaml or name, not "wide"`,
	} {
		command := NewCommand("fedctl", genericiooptions.NewTestIOStreamsDiscard())
		command.SetArgs(strings.Fields(args))
		if err := command.Execute(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("fedctl %s: %v, want %s", args, err, want)
		}
	}
	for _, args := range []string{"", "get", "backup", "local", "migrate", "orphaning-deletion", "join --help"} {
		streams, _, out, _ := genericiooptions.NewTestIOStreams()
		command := NewCommand("fedctl", streams)
		command.SetArgs(strings.Fields(args))
		if err := command.Execute(); err != nil || !strings.Contains(out.String(), "Usage:") {
			t.Errorf("fedctl %s: %v\n%s", args, err, out.String())
		}
	}
}

// As kubectl's plugin, the program calls itself so in usages and examples.
func TestPluginNamesItself(t *testing.T) {
	var walk func(command *cobra.Command)
	walk = func(command *cobra.Command) {
		for _, child := range command.Commands() {
			walk(child)
		}
		if !strings.HasPrefix(command.UseLine(), "kubectl fed") || strings.Contains("\n"+command.Example, "\n  fedctl ") {
			t.Errorf("%s has the examples\n%s", command.UseLine(), command.Example)
		}
	}
	walk(NewCommand("kubectl fed", genericiooptions.NewTestIOStreamsDiscard()))
}
