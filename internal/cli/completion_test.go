package cli

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// freeText are flags whose values nothing can propose: names that are made up,
// numbers, durations, selectors, addresses.
var freeText = []string{
	"api-endpoint", "container", "federated-group", "federated-version", "field", "fleet-api-address", "from-cluster", "gpu-members", "host-cluster-name", "image", "labels",
	"max-log-requests", "members", "namespace-mapping", "namespaces", "pod-running-timeout", "ports", "protected-keys", "request-timeout", "resources", "secret-name", "selector", "since", "since-time", "tail", "time", "timeout", "token-lifetime", "v", "wait",
}

// commands calls visit with every command that does something.
func commands(command *cobra.Command, visit func(*cobra.Command)) {
	if !command.HasSubCommands() {
		visit(command)
	}
	for _, child := range command.Commands() {
		commands(child, visit)
	}
}

func isNothing(complete cobra.CompletionFunc) bool {
	return complete == nil || reflect.ValueOf(complete).Pointer() == reflect.ValueOf(cobra.NoFileCompletions).Pointer()
}

func TestEverythingThatCanBeCompletedIs(t *testing.T) {
	used := map[string]bool{}
	commands(NewCommand("fedctl", genericiooptions.NewTestIOStreamsDiscard()), func(command *cobra.Command) {
		takesArguments := strings.ContainsAny(command.Use, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		if isNothing(command.ValidArgsFunction) == takesArguments {
			t.Errorf("%q: arguments are completed: %v", command.UseLine(), !takesArguments)
		}
		all := pflag.NewFlagSet("all", pflag.ContinueOnError)
		all.AddFlagSet(command.LocalFlags())
		all.AddFlagSet(command.InheritedFlags())
		all.VisitAll(func(flag *pflag.Flag) {
			complete, found := command.GetFlagCompletionFunc(flag.Name)
			used[flag.Name] = true
			isFile, isFree := slices.Contains(fileFlags, flag.Name), slices.Contains(freeText, flag.Name)
			// The type of a disabled type's definition is not known, so its version is free there.
			isFree = isFree || command.Name() == "disable" && flag.Name == "version"
			switch {
			case flag.Value.Type() == "bool", flag.Hidden: // shells do not offer the latter
			case isFile && found:
				t.Errorf("%s --%s completes something else than files", command.CommandPath(), flag.Name)
			case isFile:
			case isFree && !isNothing(complete):
				t.Errorf("%s --%s is completed, and listed as what cannot be", command.CommandPath(), flag.Name)
			case !isFree && isNothing(complete):
				t.Errorf("%s --%s is not completed", command.CommandPath(), flag.Name)
			case !found:
				t.Errorf("%s --%s offers files", command.CommandPath(), flag.Name)
			}
		})
	})
	for _, name := range slices.Concat(freeText, fileFlags) {
		if !used[name] {
			t.Errorf("no command has a flag --%s", name)
		}
	}
}

// Whatever prints takes -o; what changes something takes --dry-run, but for what
// runs on this machine, or is carried out later by somebody else.
func TestFlagsThatAllCommandsShare(t *testing.T) {
	withoutOutput := []string{"backup describe", "diff", "exec", "kubeconfig", "kubectl", "logs", "support dump"} // a kubeconfig has one format, kubectl its own, and what pods say none
	withoutDryRun := []string{"diff", "export", "kubeconfig", "kubectl", "doctor", "events", "exec", "explain", "get clusters", "get facts", "logs", "render", "status", "support dump", "top accelerators", "top clusters", "top pods", "tree", "version", "migrate check", "backup status", "backup list", "backup describe", "backup run", "backup verify",
		"backup repository check", "backup repository change-password"}
	commands(NewCommand("fedctl", genericiooptions.NewTestIOStreamsDiscard()), func(command *cobra.Command) {
		name := strings.TrimPrefix(command.CommandPath(), "fedctl ")
		if strings.HasPrefix(name, "local ") || strings.HasPrefix(name, "completion ") || name == "help" {
			return
		}
		for flag, without := range map[string][]string{"output": withoutOutput, "dry-run": withoutDryRun} {
			if (command.Flag(flag) == nil) != slices.Contains(without, name) {
				t.Errorf("fedctl %s has --%s: %v", name, flag, command.Flag(flag) != nil)
			}
		}
	})
}
