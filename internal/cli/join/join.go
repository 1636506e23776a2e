// Package join is the command that makes a cluster a member.
package join

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/join"
)

const (
	long = `Join a cluster to the host cluster.

In the member, join creates the control plane's namespace, a service account with
a token for it, and the rights the account needs. In the host it creates a Secret
with the token and a KubeFedCluster; the controller takes it from there. Everything
is named as kubefedctl names it.

The token ends after a week, and the controller renews it when half of that has
passed; "fedctl get clusters -o wide" shows its end. --token-lifetime sets another
time, or with 0 makes one that does not end, as kubefedctl does. A cluster that had
joined keeps the kind of token it has. --rotate ends all tokens of the account at
once, and those with which users of the host are let in, for when one may be in wrong
hands.

The rights (--rbac=types) are those that the types need which are enabled now,
besides reading nodes, and pods where a type has replicas. Repeat the command after
enabling more types; what is there already is brought up to date, and what the
command is not told to change, such as the address or --rbac, is kept. Labels, by
which placements select the cluster, are set with --labels; those that unjoin has
left in the cluster are taken up. --rbac=usual
adds what the types need that most fleets enable sooner or later. Federating
ClusterRoles or Roles gives the right to grant any right, which such types need.
--rbac=admin allows everything, as kubefedctl does. --rbac=namespaces is less than
types: the controller reads the enabled types everywhere, but writes only in the
namespaces that are federated to the cluster, in each of which it binds that right;
types with which any right can be granted would undo that, and are refused.
What the rights amount to is said.

--take-over is for the cluster of a host that is lost, after "fedctl import" on the host
that takes its place: the accounts of other hosts are removed, so that the lost one can do
nothing in the cluster should it come back. What it may do as a user, with the tokens of a
credential plugin, stays, since this host may be the same user: such bindings are named.

--fleet-access lets users of the host into the cluster, through the API of the fleet
(fedctl install --fleet-api): each as himself, with the rights that the cluster gives to
his name. For that it makes an account that may impersonate users. --fleet-access=false
ends it. What an earlier join was told is kept.`

	example = `  # Join the cluster of the context member-1 under the name of its context
  fedctl join member-1 --host-cluster-context host

  # Under another name, to be reached by the controller at another address
  fedctl join berlin --cluster-context admin@member-1 --api-endpoint https://10.0.0.7:6443

  # Let the federation write only in the namespaces that are federated to the cluster
  fedctl join member-1 --rbac=namespaces

  # End a token that may be in wrong hands
  fedctl join member-1 --rotate

  # Let users of the host into the cluster, each as himself
  fedctl join member-1 --fleet-access

  # See what would be created in the member
  fedctl join member-1 --print-rbac

  # See the KubeFedCluster that would be created in the host
  fedctl join member-1 --dry-run -o yaml`
)

var rbacModes = []string{string(join.RBACNamespaces), string(join.RBACTypes), string(join.RBACUsual), string(join.RBACAdmin)}

// Options are the flags of the command.
type Options struct {
	factory *cmdutil.Factory

	ClusterContext  string
	HostClusterName string
	PrintRBAC       bool
	Output          cmdutil.Output
	Join            join.Options
	rbac            string
	tokenLifetime   time.Duration
	fleetAccess     bool
}

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(cmdutil.ObjectFormats...)}
	cmd := &cobra.Command{
		Use:               "join CLUSTER_NAME",
		Short:             "Join a cluster to the host cluster",
		Long:              long,
		Example:           example,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: fedtypes.First(f.CompleteContexts),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkEndpoint(cmd.Flags(), o.Join.APIEndpoint); err != nil {
				return err
			}
			if cmd.Flags().Changed("token-lifetime") {
				o.Join.TokenLifetime = &o.tokenLifetime
			}
			if cmd.Flags().Changed("fleet-access") {
				o.Join.FleetAccess = &o.fleetAccess
			}
			if err := o.Complete(args); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	o.addFlags(cmd.Flags())
	o.Output.AddFlag(cmd, "Print the KubeFedCluster as it is afterwards, or with --dry-run would be")
	_ = cmd.RegisterFlagCompletionFunc("cluster-context", f.CompleteContexts)
	_ = cmd.RegisterFlagCompletionFunc("rbac", cobra.FixedCompletions(rbacModes, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (o *Options) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.ClusterContext, "cluster-context", "", "Context of the joining cluster in the kubeconfig; by default the cluster's name.")
	flags.StringVar(&o.HostClusterName, "host-cluster-name", "", "Name of the host cluster in the names of objects in the member; by default the one noted by an earlier join, or made from its context.")
	flags.StringVar(&o.Join.SecretName, "secret-name", "", "Name of the Secret in the host that holds the cluster's token; by default made from the cluster's name.")
	flags.StringVar(&o.Join.APIEndpoint, "api-endpoint", "", "URL of the joining cluster's API server as the host's controller reaches it; by default the one stored by an earlier join, or the one in the kubeconfig.")
	flags.StringVar(&o.rbac, "rbac", o.rbac, "Rights in the joining cluster: namespaces (what the enabled types need, to write only in the namespaces that are federated to it), types (that, in all namespaces), usual (that, and what the usual types need) or admin (everything); by default as an earlier join was told, or types.")
	flags.BoolVar(&o.Join.AllowGranting, "allow-granting", false, "With --rbac=namespaces, give the rights that enabled Roles, RoleBindings, ClusterRoles and ClusterRoleBindings need, too: they undo it.")
	flags.DurationVar(&o.tokenLifetime, "token-lifetime", join.DefaultTokenLifetime, "How long a token lives that the controller renews after half of that time; 0 makes one that does not end. A cluster that has joined keeps the kind it has.")
	flags.BoolVar(&o.fleetAccess, "fleet-access", false, "Let users of the host into the joining cluster, each as himself, through the API of the fleet; =false ends it. By default as an earlier join was told.")
	flags.BoolVar(&o.Join.Rotate, "rotate", false, "End all tokens of the account in the joining cluster, whoever has one, and make a new one; those that let users of the host in as well.")
	flags.BoolVar(&o.Join.TakeOver, "take-over", false, "End what other hosts may do in the joining cluster, for when they are lost: their accounts are removed, with all their tokens.")
	flags.StringToStringVar(&o.Join.Labels, "labels", nil, "Labels of the KubeFedCluster, such as region=eu,tier=gold; others that it has stay.")
	flags.BoolVar(&o.Join.ForgetLabels, "forget-labels", false, "Do not take up the labels that the cluster remembers of an earlier membership.")
	flags.BoolVar(&o.Join.ErrorOnExisting, "error-on-existing", false, "Fail if anything to be created exists already, instead of bringing it up to date.")
	flags.BoolVar(&o.Join.DryRun, "dry-run", false, "Change nothing; say what would be done.")
	flags.BoolVar(&o.PrintRBAC, "print-rbac", false, "Print what would be created in the joining cluster, as YAML or in the format of -o, and end.")
}

// checkEndpoint refuses an address that was meant to be given and is empty, such as a
// variable of a script that is not set: it would count as none.
func checkEndpoint(flags *pflag.FlagSet, endpoint string) error {
	if flags.Changed("api-endpoint") && endpoint == "" {
		return errors.New("--api-endpoint is empty: give a URL such as https://10.0.0.1:6443, or leave it out to keep what is stored or for the one in the kubeconfig")
	}
	return nil
}

// Complete fills in what follows from the arguments and the kubeconfig.
func (o *Options) Complete(args []string) error {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	if o.rbac != "" && !slices.Contains(rbacModes, o.rbac) {
		return fmt.Errorf("--rbac takes namespaces, types, usual or admin, not %q", o.rbac)
	}
	o.Join.ClusterName = args[0]
	if err := o.checkClusterName(); err != nil {
		return err
	}
	if o.ClusterContext == "" {
		o.ClusterContext = o.Join.ClusterName
	}
	o.Join.ClusterContext = o.ClusterContext
	o.Join.KubeFedNamespace = o.factory.KubeFedNamespace
	o.Join.RBAC = join.RBACMode(o.rbac)
	o.Join.Say = func(line string) { _, _ = fmt.Fprintln(o.Output.Progress(o.factory), line) }
	hostContext, err := o.factory.HostContext()
	if err != nil {
		return err
	}
	o.Join.HostClusterName, o.Join.DefaultHostClusterName = o.HostClusterName, join.HostClusterName(hostContext)
	return nil
}

// checkClusterName says how to go on when the name is that of a context, which a cluster
// cannot have: such as arn:aws:eks:eu-west-1:123:cluster/prod.
func (o *Options) checkClusterName() error {
	context := o.Join.ClusterName
	if o.ClusterContext != "" || len(validation.IsDNS1123Subdomain(context)) == 0 {
		return nil // what else is wrong with it is said later
	}
	parts := strings.FieldsFunc(context, func(r rune) bool { return r == '/' || r == ':' || r == '@' || r == '_' })
	name := "NAME"
	if len(parts) > 0 {
		name = cmp.Or(join.HostClusterName(parts[len(parts)-1]), name)
	}
	return fmt.Errorf("%q cannot be the name of a cluster; if it is the name of a context, give both: fedctl join %s --cluster-context %s", context, name, errtext.Argument(context))
}

// Run joins the cluster.
func (o *Options) Run(ctx context.Context) error {
	host, err := o.factory.HostConfig()
	if err != nil {
		return err
	}
	if o.PrintRBAC {
		o.Join.Say = func(line string) { _, _ = fmt.Fprintln(o.factory.ErrOut, line) } // what is printed is to be applied
		objects, err := join.MemberManifests(ctx, host, o.Join)
		if err != nil {
			return err
		}
		if o.fleetAccess {
			objects = append(objects, join.FleetAccessManifests(o.Join)...)
		}
		return o.printRBAC(objects)
	}
	member, err := o.factory.ConfigFor(o.ClusterContext)
	if err != nil {
		return fmt.Errorf("the joining cluster: %w; choose another one with --cluster-context", err)
	}
	var joined *fedcorev1beta1.KubeFedCluster
	o.Join.Joined = func(cluster *fedcorev1beta1.KubeFedCluster) { joined = cluster }
	if err := join.Join(ctx, host, member, o.Join); err != nil {
		return err
	}
	if o.Output.Format != "" {
		return o.printJoined(joined)
	}
	if !o.Join.DryRun {
		o.Join.Say(fmt.Sprintf("%s has joined. See how it fares with: fedctl get clusters", o.Join.ClusterName))
	}
	return nil
}

// printJoined leaves out a status that nobody has written yet.
func (o *Options) printJoined(cluster *fedcorev1beta1.KubeFedCluster) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(cluster)
	if err != nil {
		return err
	}
	if len(cluster.Status.Conditions) == 0 {
		delete(fields, "status")
	}
	return o.Output.Print(o.factory.Out, &unstructured.Unstructured{Object: fields})
}

func (o *Options) printRBAC(objects []client.Object) error {
	list := make([]*unstructured.Unstructured, len(objects))
	for i, object := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return err
		}
		for _, field := range []string{"spec", "status"} {
			if content, _ := fields[field].(map[string]any); len(content) == 0 || field == "status" {
				delete(fields, field)
			}
		}
		list[i] = &unstructured.Unstructured{Object: fields}
	}
	output := o.Output
	output.Format = cmp.Or(output.Format, "yaml")
	return output.PrintAll(o.factory.Out, list)
}
