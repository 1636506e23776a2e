// Package orphaning is the command that says what becomes of the objects in the
// member clusters when their federated object is deleted. It sets an annotation
// in the host cluster; the controller acts on it.
package orphaning

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/serverapply"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

const long = `Say what becomes of the objects in the member clusters when their federated object
is deleted. Without orphaning they are deleted first; with it they stay, and are no
longer managed. It is the annotation ` + federate.OrphanAnnotation + ` of the federated object.

TYPE is a federated type or its target: the plural, the kind or a short name, such as
deployments, FederatedDeployment or deploy.`

const example = `  # Keep the Deployment web in the members when the FederatedDeployment web is deleted
  fedctl orphaning-deletion enable deployments web -n shop

  # Is it so?
  fedctl orphaning-deletion status deployments web -n shop

  # Delete it in the members after all
  fedctl orphaning-deletion disable deployments web -n shop`

// NewCommand returns the command.
func NewCommand(f *cmdutil.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "orphaning-deletion",
		Short:   "Keep or delete the members' objects when a federated object is deleted",
		Long:    long,
		Example: example,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newSubcommand(f, "enable", "Keep the members' objects when the federated object is deleted", (*Options).RunEnable),
		newSubcommand(f, "disable", "Delete the members' objects when the federated object is deleted", (*Options).RunDisable),
		newSubcommand(f, "status", "Print Enabled or Disabled", (*Options).RunStatus),
	)
	return cmd
}

// Options are the flags and arguments of the subcommands.
type Options struct {
	factory *cmdutil.Factory

	Type, Name string
	Namespace  string
	DryRun     bool
	// Output prints the federated object as it is afterwards, instead of a line.
	Output cmdutil.Output
}

func newSubcommand(f *cmdutil.Factory, name, short string, run func(*Options, context.Context) error) *cobra.Command {
	o := &Options{factory: f, Output: cmdutil.NewOutput(cmdutil.ObjectFormats...)}
	cmd := &cobra.Command{
		Use:     name + " TYPE NAME",
		Short:   short,
		Long:    short + ".\n\n" + long,
		Example: example,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Complete(args); err != nil {
				return err
			}
			return run(o, cmd.Context())
		},
		ValidArgsFunction: fedtypes.CompleteTypeAndName(f, func() fedtypes.Names { return fedtypes.Names{Namespace: o.Namespace} }),
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "Namespace of the federated object; by default that of the context.")
	flags.BoolVar(&o.DryRun, "dry-run", false, "Say what would be done, asking the API server, and do nothing.")
	o.Output.AddFlag(cmd, "Print the federated object as it is afterwards")
	if name == "status" {
		_ = flags.MarkHidden("dry-run") // accepted, as kubefedctl does; there is nothing to do
	}
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	return cmd
}

// Complete takes TYPE NAME, or TYPE/NAME.
func (o *Options) Complete(args []string) (err error) {
	if err := o.Output.Validate(); err != nil {
		return err
	}
	o.Type, o.Name, err = fedtypes.ParseTypeAndName(args)
	return err
}

// RunEnable keeps the members' objects.
func (o *Options) RunEnable(ctx context.Context) error { return o.set(ctx, true) }

// RunDisable has the members' objects deleted.
func (o *Options) RunDisable(ctx context.Context) error { return o.set(ctx, false) }

// RunStatus prints Enabled or Disabled, the words that kubefedctl prints, or the object.
func (o *Options) RunStatus(ctx context.Context) error {
	_, u, err := o.find(ctx)
	if err != nil {
		return err
	}
	return o.printStatus(u)
}

// printStatus prints the object also where its annotation is invalid, which is an error.
func (o *Options) printStatus(u *unstructured.Unstructured) error {
	enabled, fault := federate.OrphaningOf(u.GetAnnotations())
	if o.Output.Format != "" {
		if err := o.say(u, enabled, ""); err != nil || fault == nil {
			return err
		}
	}
	if fault != nil {
		return explainInvalid(u, fault)
	}
	_, err := fmt.Fprintln(o.factory.Out, word(enabled))
	return err
}

// explainInvalid says how to mend a value with which a deletion waits.
func explainInvalid(u *unstructured.Unstructured, fault error) error {
	return fmt.Errorf("%s: %w: run \"fedctl orphaning-deletion enable\" or \"disable\" with it", serverapply.Describe(u), fault)
}

func (o *Options) set(ctx context.Context, enable bool) error {
	resource, u, err := o.find(ctx)
	if err != nil {
		return err
	}
	if enabled, fault := federate.OrphaningOf(u.GetAnnotations()); fault == nil && enabled == enable {
		return o.say(u, enable, "already ")
	}
	options := metav1.PatchOptions{FieldManager: federate.FieldManager}
	if o.DryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	if u, err = resource.Patch(ctx, o.Name, types.MergePatchType, patch(u, enable), options); err != nil {
		return fmt.Errorf("setting the annotation %s: %w", federate.OrphanAnnotation, err)
	}
	return o.say(u, enable, "")
}

func (o *Options) say(u *unstructured.Unstructured, enabled bool, already string) error {
	if o.Output.Format != "" {
		return o.Output.Print(o.factory.Out, u)
	}
	suffix := ""
	if o.DryRun {
		suffix = " (dry run)"
	}
	_, err := fmt.Fprintf(o.factory.Out, "%s: orphaning deletion is %s%s%s\n", serverapply.Describe(u), already, strings.ToLower(word(enabled)), suffix)
	return err
}

// find returns the federated object and the resource to change it by.
func (o *Options) find(ctx context.Context) (dynamic.ResourceInterface, *unstructured.Unstructured, error) {
	config, err := o.factory.HostConfig()
	if err != nil {
		return nil, nil, err
	}
	host, err := client.New(config, client.Options{Scheme: cmdutil.Scheme})
	if err != nil {
		return nil, nil, err
	}
	enabled, err := fedtypes.Read(ctx, host, o.factory)
	if err != nil {
		return nil, nil, err
	}
	discoverer, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	t, err := fedtypes.Resolver{Types: enabled, ShortNames: fedtypes.DiscoveredShortNames(discoverer)}.Resolve(o.Type)
	if err != nil {
		return nil, nil, err
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	namespace, err := o.namespaceFor(t)
	if err != nil {
		return nil, nil, err
	}
	resource := dynamicClient.Resource(t.Federated.GVR).Namespace(namespace)
	u, err := resource.Get(ctx, o.Name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, getError(t, namespace, o.Name, err)
	}
	return resource, u, nil
}

// namespaceFor is where the federated object is. That of a namespace is in it.
func (o *Options) namespaceFor(t typeconfig.Type) (string, error) {
	switch {
	case !t.Federated.Namespaced:
		return "", nil
	case o.Namespace != "":
		return o.Namespace, nil
	case t.IsNamespace:
		return o.Name, nil
	}
	return fedtypes.ContextNamespace(o.factory)
}

func getError(t typeconfig.Type, namespace, name string, err error) error {
	where := ""
	if namespace != "" {
		where = " in namespace " + namespace
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading %s %q%s: %w", t.Federated.GVK.Kind, name, where, err)
	}
	hint := "see \"fedctl status " + t.Name + " -A\""
	if namespace != "" {
		hint = "choose another namespace with -n, or " + hint
	}
	return fmt.Errorf("the host cluster has no %s %q%s: %s", t.Federated.GVK.Kind, name, where, hint)
}

func word(enabled bool) string {
	if enabled {
		return "Enabled"
	}
	return "Disabled"
}

// patch sets the annotation or removes it from the object that u was read from:
// not from one of the same name that came in its place.
func patch(u *unstructured.Unstructured, enable bool) []byte {
	var value any
	if enable {
		value = "true"
	}
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid":         u.GetUID(),
		"annotations": map[string]any{federate.OrphanAnnotation: value},
	}})
	if err != nil {
		panic(err) // strings and nil can be written as JSON
	}
	return data
}
