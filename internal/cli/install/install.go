// Package install is the command that puts the control plane into a host cluster.
package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/internal/version"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

const (
	long = `Install the control plane into the host cluster, or bring it up to date.

That is: KubeFed's API and the default federated types, the admission policies, the
rights of the controller, its settings, and the controller itself. What is there
already is updated; settings (KubeFedConfig) and the configuration of types
(FederatedTypeConfig) that exist are left as they are, and types that were disabled
(fedctl disable) stay disabled, unless their definition went as well. On a host where KubeFed ran,
stop its controller first; members stay joined and objects stay as they are.

Several control planes can live in one cluster: each has a namespace
(--kubefed-namespace) and names of its own. One of scope Namespaced federates only
what is in its namespace, and may do next to nothing outside of it. The scope of a
control plane cannot be changed later. One that Helm has installed is left to Helm.

With --fleet-api, users of the host get an API through which they reach the members that
let them in (fedctl join --fleet-access), with the login they have here. It is served by
a Deployment of its own, and belongs to one control plane of the cluster.

With --member, members get what they need for federated types that are not part of
Kubernetes: the definitions of the backup API. The host is then left alone.
--backup-rights lets the host's controller execute backups there: "save" lets it read
everything, "restore" also write anything, "none" takes both away. With --executor, an
executor inside the member does the work, so that schedules outlive the host; the
rights are then that executor's.`

	example = `  # Install into the cluster of the current context
  fedctl install

  # The controller's image from a registry of one's own
  fedctl install --image registry.example.com/fedctl/controller:v1

  # All but the controller, to run it elsewhere
  fedctl install --without-controller

  # A control plane for one namespace, beside others
  fedctl install --scope Namespaced --kubefed-namespace team-a

  # With the API of the fleet
  fedctl install --fleet-api

  # Have others find the members as ClusterProfiles
  fedctl install --cluster-profiles

  # What members need for federated Backups
  fedctl install --member member-1 --member member-2

  # Let the host's controller save and restore a member that has joined
  fedctl install --member member-1 --backup-rights restore

  # See what would be applied
  fedctl install -o yaml`
)

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	Manifests manifests.Options
	Members   []string
	Member    manifests.MemberOptions
	FleetAPI  bool
	Fleet     manifests.FleetAPIOptions
	Output    cmdutil.Output
	DryRun    bool
	Wait      time.Duration
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(cmdutil.ObjectFormats...)}
	cmd := &cobra.Command{
		Use:     "install",
		Short:   "Install the control plane into the host cluster",
		Long:    long,
		Example: example,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Complete(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	o.addFlags(cmd.Flags())
	o.Output.AddFlag(cmd, "Print the manifests and do nothing")
	_ = cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions(manifests.Scopes, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("member", f.CompleteContexts)
	_ = cmd.RegisterFlagCompletionFunc("backup-rights", cobra.FixedCompletions([]string{manifests.RightsNone, manifests.RightsSave, manifests.RightsRestore}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *Options) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Manifests.Scope, "scope", "", "Cluster, or Namespaced: the KubeFed namespace is then the only one that is federated; by default that of the KubeFedConfig, else Cluster.")
	flags.StringVar(&o.Manifests.Image, "image", "", "Image of the controller; by default another one that is there, else the shipped one of this version.")
	flags.BoolVar(&o.Manifests.WithoutController, "without-controller", false, "Install everything but the controller's Deployment.")
	flags.BoolVar(&o.FleetAPI, "fleet-api", false, "Install the API of the fleet as well, through which users of the host reach the members.")
	flags.StringVar(&o.Fleet.Address, "fleet-api-address", "", "With --fleet-api, HOST:PORT of an API server of the fleet that runs elsewhere, HOST a name; by default it runs in the cluster.")
	flags.BoolVar(&o.Manifests.ClusterProfiles, "cluster-profiles", false, "Have the members published as ClusterProfiles of SIG-Multicluster: their definition, and the right to write them.")
	flags.StringArrayVar(&o.Members, "member", nil, "Context of a member cluster to install the backup API into, instead of the host; may be repeated.")
	flags.StringVar(&o.Member.Rights, "backup-rights", "", "With --member, what may be done with backups there: none, save or restore; by default as it is.")
	flags.BoolVar(&o.Member.Executor, "executor", false, "With --member, install an executor of backups inside it.")
	flags.BoolVar(&o.DryRun, "dry-run", false, "Say what would be done, asking the API server, and do nothing.")
	flags.DurationVar(&o.Wait, "wait", 2*time.Minute, "How long to wait for the controller to be ready; 0 does not wait.")
}

// Complete checks the flags.
func (o *Options) Complete() error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	if scope := o.Manifests.Scope; scope != "" && !slices.Contains(manifests.Scopes, scope) {
		return fmt.Errorf("--scope takes %s and %s, not %q", manifests.ScopeCluster, manifests.ScopeNamespaced, scope)
	}
	o.Manifests.Namespace, o.Manifests.Version = o.factory.KubeFedNamespace, version.Get()
	if err := manifests.CheckNamespace(o.Manifests.Namespace); err != nil {
		return fmt.Errorf("%w with --kubefed-namespace", err)
	}
	if o.FleetAPI && len(o.Members) > 0 {
		return errors.New("--fleet-api is for the host, and --member for members: run the command once for each")
	}
	if o.Fleet.Address != "" && !o.FleetAPI {
		return errors.New("--fleet-api-address goes with --fleet-api")
	}
	return completeMember(&o.Member, o.Members)
}

// Run installs the control plane.
func (o *Options) Run(ctx context.Context) error {
	if o.Output.Format == "" && len(o.Members) == 0 {
		return o.installHost(ctx)
	}
	objects, err := o.build()
	if err != nil {
		return fmt.Errorf("building the manifests: %w", err)
	}
	if o.Output.Format != "" {
		return o.Output.PrintAll(o.factory.Out, objects)
	}
	return o.installMembers(ctx, objects)
}

func (o *Options) build() ([]*unstructured.Unstructured, error) {
	if len(o.Members) > 0 {
		return manifests.ForMember(o.Manifests, o.Member)
	}
	objects, err := manifests.Build(o.Manifests)
	if err != nil || !o.FleetAPI {
		return objects, err
	}
	fleet := o.Fleet
	if err := certify(&fleet, o.Manifests.Namespace, nil, time.Now()); err != nil {
		return nil, err
	}
	more, err := manifests.FleetAPI(o.Manifests, fleet)
	return append(objects, more...), err
}

func (o *Options) installHost(ctx context.Context) error {
	installer, err := o.installer(o.factory.HostClusterContext)
	if err != nil {
		return err
	}
	if err := installer.refuseRelease(ctx, o.Manifests.Namespace); err != nil {
		return err
	}
	if o.Manifests.Scope, err = installer.scope(ctx, o.Manifests); err != nil {
		return err
	}
	objects, err := manifests.Build(o.Manifests)
	if err != nil {
		return fmt.Errorf("building the manifests: %w", err)
	}
	if o.FleetAPI {
		more, err := o.fleetObjects(ctx, installer)
		if err != nil {
			return err
		}
		objects = append(objects, more...)
	}
	if err := installer.Install(ctx, objects); err != nil {
		return err
	}
	if err := installer.removeObsolete(ctx, o.Manifests.Namespace); err != nil || o.DryRun {
		return err
	}
	if err := o.wait(ctx, installer); err != nil {
		return err
	}
	return installer.next(o.Manifests, o.FleetAPI)
}

// wait waits for what was installed to run.
func (o *Options) wait(ctx context.Context, installer *Installer) error {
	if o.Manifests.WithoutController || o.Wait == 0 {
		return nil
	}
	err := installer.WaitFor(ctx, o.Manifests.Namespace, controllerName, "the controller", o.Wait)
	if err == nil && o.FleetAPI && o.Fleet.Address == "" {
		err = installer.WaitFor(ctx, o.Manifests.Namespace, kubefedconfig.FleetAPI, "the API server of the fleet", o.Wait)
	}
	return err
}

func (o *Options) installMembers(ctx context.Context, objects []*unstructured.Unstructured) error {
	installers := make([]*Installer, len(o.Members))
	for i, member := range o.Members { // all of them, before anything is written
		installer, err := o.installer(member)
		if err == nil && o.grants() {
			err = installer.checkJoined(ctx, o.Manifests.Namespace, o.Member.Rights)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", member, err)
		}
		installers[i] = installer
	}
	for i, member := range o.Members {
		if err := o.installMember(ctx, installers[i], member, objects); err != nil {
			return fmt.Errorf("%s: %w", member, err)
		}
	}
	return nil
}

// grants says whether hosts get rights in members, or lose them.
func (o *Options) grants() bool { return o.Member.Rights != "" && !o.Member.Executor }

func (o *Options) installMember(ctx context.Context, installer *Installer, member string, objects []*unstructured.Unstructured) error {
	installer.say("%s:", member)
	copies := make([]*unstructured.Unstructured, len(objects))
	for i, object := range objects {
		copies[i] = object.DeepCopy() // applying turns them into what the server has
	}
	if err := installer.Install(ctx, copies); err != nil || !o.grants() {
		return err
	}
	return installer.grant(ctx, o.Manifests.Namespace, o.Member.Rights)
}

// installer returns an installer for the cluster of a context.
func (o *Options) installer(kubeContext string) (*Installer, error) {
	config, err := o.factory.ConfigFor(kubeContext)
	if err != nil {
		return nil, err
	}
	c, err := client.New(config, client.Options{Scheme: cmdutil.Scheme})
	if err != nil {
		return nil, err
	}
	return &Installer{Client: c, Out: o.factory.Out, DryRun: o.DryRun, Image: o.Manifests.Image}, nil
}
