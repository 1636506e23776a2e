package cmdutil

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// kubeconfigs names the files in which contexts are looked for.
func (f *Factory) kubeconfigs() string {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.Kubeconfig
	return strings.Join(rules.GetLoadingPrecedence(), ", ")
}

// NoContext stands in advice for a context that the kubeconfig does not tell.
const NoContext = "CONTEXT"

// ContextOf is the context by which the kubeconfig reaches a member cluster, for
// advice on what to run: that of the member's name if it leads to the member's
// endpoint, else another one that does, else NoContext. A context is not taken on
// its name alone, since it may lead to another cluster.
func (f *Factory) ContextOf(member, endpoint string) string {
	found := f.contextsTo(endpoint)
	switch {
	case slices.Contains(found, member):
		return member
	case len(found) > 0:
		return found[0]
	}
	return NoContext
}

// ContextsFor are the contexts by which a member may be reached, the likeliest first, for
// one who looks which cluster answers: those that lead to its endpoint, that of its name,
// and the others.
func (f *Factory) ContextsFor(member, endpoint string) []string {
	raw, err := f.RawConfig()
	if err != nil {
		return nil
	}
	contexts := f.contextsTo(endpoint)
	for _, name := range append([]string{member}, slices.Sorted(maps.Keys(raw.Contexts))...) {
		if raw.Contexts[name] != nil && !slices.Contains(contexts, name) {
			contexts = append(contexts, name)
		}
	}
	return contexts
}

// contextsTo are the contexts that lead to an endpoint.
func (f *Factory) contextsTo(endpoint string) (found []string) {
	raw, err := f.RawConfig()
	if err != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(raw.Contexts)) {
		cluster := raw.Clusters[raw.Contexts[name].Cluster]
		if cluster != nil && endpoint != "" && strings.TrimSuffix(cluster.Server, "/") == strings.TrimSuffix(endpoint, "/") {
			found = append(found, name)
		}
	}
	return found
}

// UnjoinCommand is how to end a cluster's membership with this kubeconfig.
func (f *Factory) UnjoinCommand(member, endpoint string) string {
	return f.memberCommand("unjoin", member, endpoint)
}

// JoinCommand is how to join a member again with this kubeconfig.
func (f *Factory) JoinCommand(member, endpoint string) string {
	return f.memberCommand("join", member, endpoint)
}

func (f *Factory) memberCommand(verb, member, endpoint string) string {
	command := "fedctl " + verb + " " + member
	if context := f.ContextOf(member, endpoint); context != member {
		command += flagOf("--cluster-context", context)
	}
	return command + f.HostFlags()
}

// HostFlags are the flags by which another command of fedctl works on the same host, each
// after a space: what is printed to be copied must not work on that of the current context.
func (f *Factory) HostFlags() string {
	flags := flagOf("--kubeconfig", f.Kubeconfig) + flagOf("--host-cluster-context", f.HostClusterContext)
	if f.KubeFedNamespace != DefaultKubeFedNamespace {
		flags += flagOf("--kubefed-namespace", f.KubeFedNamespace)
	}
	return flags
}

// flagOf is a flag of an advised command, after a space; empty without a value.
func flagOf(name, value string) string {
	if value == "" {
		return ""
	}
	return " " + name + " " + errtext.Argument(value)
}

// Kubectl is how kubectl works in the control plane's namespace of the same host.
func (f *Factory) Kubectl() string {
	return "kubectl" + flagOf("--kubeconfig", f.Kubeconfig) + flagOf("--context", f.HostClusterContext) + flagOf("-n", f.KubeFedNamespace)
}

func contextNames(raw *clientcmdapi.Config) string {
	if len(raw.Contexts) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", ")
}

// CompleteContexts completes the names of the kubeconfig's contexts, for flags
// such as --cluster-context.
func (f *Factory) CompleteContexts(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	raw, err := f.RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Sorted(maps.Keys(raw.Contexts)), cobra.ShellCompDirectiveNoFileComp
}
