package get

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	kubectlget "k8s.io/kubectl/pkg/cmd/get"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// allMembers is the value of --clusters that chooses none in particular.
const allMembers = "all"

// MembersOptions are the flags of get TYPE, beside kubectl's own.
type MembersOptions struct {
	factory *cmdutil.Factory
	kubectl *kubectlget.GetOptions

	Clusters   string
	RequireAll bool
	Namespace  string
}

// addMembers has the command list what is in members, by kubectl's own code: its forms of
// output, its tables and its watch.
func addMembers(f *cmdutil.Factory, cmd *cobra.Command) {
	o := &MembersOptions{factory: f, kubectl: kubectlget.NewGetOptions("fedctl", f.IOStreams)}
	flags := cmd.Flags()
	o.kubectl.PrintFlags.AddFlags(cmd)
	flags.StringVar(&o.Clusters, "clusters", "", "The member clusters to look into: all, names (a,b), or a selector of their labels (region=eu).")
	flags.BoolVar(&o.RequireAll, "require-all", false, "Fail if one of the member clusters cannot be read, instead of naming it.")
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "The namespace in the member clusters; by default that of the context.")
	flags.BoolVarP(&o.kubectl.AllNamespaces, "all-namespaces", "A", false, "All namespaces.")
	flags.BoolVarP(&o.kubectl.Watch, "watch", "w", false, "Watch for changes after listing.")
	flags.BoolVar(&o.kubectl.WatchOnly, "watch-only", false, "Watch for changes without listing.")
	flags.StringVarP(&o.kubectl.LabelSelector, "selector", "l", "", "Only objects whose labels match.")
	flags.StringVar(&o.kubectl.FieldSelector, "field-selector", "", "Only objects whose fields match.")
	flags.BoolVar(&o.kubectl.IgnoreNotFound, "ignore-not-found", false, "It is no error that there is no object of the name.")
	flags.Int64Var(&o.kubectl.ChunkSize, "chunk-size", kubectlutil.DefaultChunkSize, "How many objects to ask for at a time; 0 is all.")
	_ = cmd.RegisterFlagCompletionFunc("clusters", fedtypes.CompleteClusters(f))
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && o.Clusters == "":
			return cmd.Help()
		case len(args) == 0:
			return errors.New("what to get is missing, such as pods; see fedctl get --help")
		case o.Clusters == "":
			return fmt.Errorf("unknown command %q for %q; to look into members, say into which with --clusters; see fedctl get --help", args[0], cmd.CommandPath())
		}
		return o.Run(cmd, args)
	}
}

// Run lists or watches.
func (o *MembersOptions) Run(cmd *cobra.Command, args []string) error {
	parameters, err := parametersOf(o.Clusters, o.RequireAll)
	if err != nil {
		return err
	}
	if err := o.checkInstalled(); err != nil {
		return err
	}
	name, err := o.factory.HostContext()
	if err != nil {
		return err
	}
	factory := kubectlutil.NewFactory(o.through(name, parameters))
	if err := o.kubectl.Complete(factory, cmd, args); err != nil {
		return err
	}
	if err := o.kubectl.Validate(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(o.factory.ErrOut, "Reading members through the API of the fleet in %s.\n", name)
	return o.kubectl.Run(factory, args)
}

// checkInstalled says what is missing in the host, rather than that there is no such type.
func (o *MembersOptions) checkInstalled() error {
	config, err := o.factory.HostConfig()
	if err != nil {
		return err
	}
	host, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	_, err = host.ServerResourcesForGroupVersion(fleetv1alpha1.GroupVersion.String())
	if apierrors.IsNotFound(err) {
		return errors.New("the host has no API of the fleet, through which members are read: its administrator installs it with \"fedctl install --fleet-api\"")
	}
	if err != nil {
		return fmt.Errorf("asking the host for the API of the fleet: %w", err)
	}
	return nil
}

// through leads kubectl to all members, with the parameters on each request.
func (o *MembersOptions) through(context string, parameters map[string]string) *genericclioptions.ConfigFlags {
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Context = &o.factory.Kubeconfig, &context
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
		config.Wrap(func(to http.RoundTripper) http.RoundTripper { return &adding{to, parameters} })
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

var names = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?(,[a-z0-9]([-.a-z0-9]*[a-z0-9])?)*$`)

// parametersOf are those of the request that choose the members.
func parametersOf(clusters string, requireAll bool) (map[string]string, error) {
	parameters := map[string]string{}
	switch {
	case clusters == allMembers:
	case names.MatchString(clusters):
		parameters["clusters"] = clusters
	default:
		if _, err := labels.Parse(clusters); err != nil {
			return nil, fmt.Errorf("--clusters %s is neither %s, nor names of clusters, nor a selector of their labels: %w", strconv.Quote(clusters), allMembers, err)
		}
		parameters["clusterSelector"] = clusters
	}
	if requireAll {
		parameters["require"] = "all"
	}
	return parameters, nil
}

// adding adds parameters to each request.
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
	r.URL.RawQuery = query.Encode()
	return a.to.RoundTrip(r)
}
