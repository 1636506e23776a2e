package get

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	kubectlget "k8s.io/kubectl/pkg/cmd/get"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/cli/members"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// MembersOptions are the flags of get TYPE, beside kubectl's own.
type MembersOptions struct {
	factory *cmdutil.Factory
	kubectl *kubectlget.GetOptions

	members    members.Flags
	RequireAll bool
	Namespace  string
}

// addMembers has the command list what is in members, by kubectl's own code: its forms of
// output, its tables and its watch.
func addMembers(f *cmdutil.Factory, cmd *cobra.Command) {
	o := &MembersOptions{factory: f, kubectl: kubectlget.NewGetOptions("fedctl", f.IOStreams)}
	flags := cmd.Flags()
	o.kubectl.PrintFlags.AddFlags(cmd)
	o.members.AddFlags(f, cmd, "")
	flags.BoolVar(&o.RequireAll, "require-all", false, "Fail if one of the member clusters cannot be read, instead of naming it.")
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "The namespace in the member clusters; by default that of the context.")
	flags.BoolVarP(&o.kubectl.AllNamespaces, "all-namespaces", "A", false, "All namespaces.")
	flags.BoolVarP(&o.kubectl.Watch, "watch", "w", false, "Watch for changes after listing.")
	flags.BoolVar(&o.kubectl.WatchOnly, "watch-only", false, "Watch for changes without listing.")
	flags.BoolVar(&o.kubectl.OutputWatchEvents, "output-watch-events", false, "Say with each object of a watch whether it was added, modified or deleted.")
	flags.StringVarP(&o.kubectl.LabelSelector, "selector", "l", "", "Only objects whose labels match.")
	flags.StringVar(&o.kubectl.FieldSelector, "field-selector", "", "Only objects whose fields match.")
	flags.BoolVar(&o.kubectl.IgnoreNotFound, "ignore-not-found", false, "It is no error that there is no object of the name.")
	flags.Int64Var(&o.kubectl.ChunkSize, "chunk-size", kubectlutil.DefaultChunkSize, "How many objects to ask for at a time; 0 is all.")
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && o.members.Clusters == "":
			return cmd.Help()
		case len(args) == 0:
			return errors.New("what to get is missing, such as pods; see fedctl get --help")
		case o.members.Clusters == "":
			return fmt.Errorf("unknown command %q for %q; to look into members, say into which with --clusters; see fedctl get --help", args[0], cmd.CommandPath())
		}
		return o.Run(cmd, args)
	}
}

// Run lists or watches.
func (o *MembersOptions) Run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	reacher, err := o.members.NewReacher(ctx, o.factory)
	if err != nil {
		return err
	}
	factory, err := o.kubectlFactory(ctx, reacher)
	if err != nil {
		return err
	}
	if err := o.kubectl.Complete(factory, cmd, args); err != nil {
		return err
	}
	if err := o.kubectl.Validate(); err != nil {
		return err
	}
	if o.kubectl.Watch || o.kubectl.WatchOnly {
		return o.watch(ctx, factory, args)
	}
	err = o.kubectl.Run(factory, args)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// kubectlFactory leads kubectl's code to all members.
func (o *MembersOptions) kubectlFactory(ctx context.Context, reacher *members.Reacher) (kubectlutil.Factory, error) {
	if reacher.Way() == members.Contexts {
		return o.joint(ctx, reacher)
	}
	choice, err := o.members.Choice()
	if err != nil {
		return nil, err
	}
	name, err := o.factory.HostContext()
	if err != nil {
		return nil, err
	}
	parameters := choice.Parameters()
	if o.RequireAll {
		parameters[union.RequireParameter] = "all"
	}
	return kubectlutil.NewFactory(o.through(ctx, name, parameters)), nil
}

// joint leads it to those that contexts lead to.
func (o *MembersOptions) joint(ctx context.Context, reacher *members.Reacher) (kubectlutil.Factory, error) {
	reached, err := reacher.Reach(ctx)
	if err != nil {
		return nil, err
	}
	config := members.Joint(reached, o.RequireAll, reacher.Reach)
	config.Transport = members.Bound(ctx, config.Transport)
	config.WarningHandler = rest.NewWarningWriter(o.factory.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	namespace := o.Namespace
	if namespace == "" {
		if namespace, err = fedtypes.ContextNamespace(o.factory); err != nil {
			return nil, err
		}
	}
	return kubectlutil.NewFactory(members.Getter(config, namespace)), nil
}

// through leads kubectl to all members, with the parameters on each request.
func (o *MembersOptions) through(ctx context.Context, name string, parameters map[string]string) *genericclioptions.ConfigFlags {
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Context = &o.factory.Kubeconfig, &name
	if o.Namespace != "" {
		flags.Namespace = &o.Namespace
	}
	// What is served is remembered by the address; other clusters serve something else.
	cache := cacheDir(parameters)
	flags.CacheDir = &cache
	warnings := rest.NewWarningWriter(o.factory.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	return flags.WithWrapConfigFn(func(config *rest.Config) *rest.Config {
		config.Host += fleetv1alpha1.ProxyPath(fleetv1alpha1.AllClusters)
		config.UserAgent = "fedctl"
		config.WarningHandler = warnings
		config.Wrap(func(to http.RoundTripper) http.RoundTripper { return members.Bound(ctx, &adding{to, parameters}) })
		return config
	})
}

func cacheDir(parameters map[string]string) string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = os.TempDir()
	}
	sum := sha256.Sum256(fmt.Append(nil, parameters))
	return filepath.Join(home, ".kube", "cache", "fedctl", hex.EncodeToString(sum[:4]))
}

// adding adds parameters to each request, and has watches tell of members that are lost.
type adding struct {
	to         http.RoundTripper
	parameters map[string]string
}

// RoundTrip implements http.RoundTripper.
func (a *adding) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	query := r.URL.Query()
	for name, value := range a.parameters {
		query.Set(name, value)
	}
	if query.Get("watch") != "" {
		query.Set("allowWatchBookmarks", "true")
	}
	r.URL.RawQuery = query.Encode()
	return a.to.RoundTrip(r)
}
