// Package cli assembles fedctl's command tree. Each command lives in a folder
// of its own; this package only lists them.
package cli

import (
	"context"
	goflag "flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"

	"github.com/fedctl/fedctl/internal/cli/backup"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/diff"
	"github.com/fedctl/fedctl/internal/cli/disable"
	"github.com/fedctl/fedctl/internal/cli/doctor"
	"github.com/fedctl/fedctl/internal/cli/enable"
	"github.com/fedctl/fedctl/internal/cli/events"
	"github.com/fedctl/fedctl/internal/cli/exec"
	"github.com/fedctl/fedctl/internal/cli/explain"
	"github.com/fedctl/fedctl/internal/cli/export"
	"github.com/fedctl/fedctl/internal/cli/federate"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/cli/get"
	"github.com/fedctl/fedctl/internal/cli/importing"
	"github.com/fedctl/fedctl/internal/cli/install"
	"github.com/fedctl/fedctl/internal/cli/join"
	"github.com/fedctl/fedctl/internal/cli/kubeconfig"
	"github.com/fedctl/fedctl/internal/cli/kubectl"
	"github.com/fedctl/fedctl/internal/cli/logs"
	"github.com/fedctl/fedctl/internal/cli/migrate"
	"github.com/fedctl/fedctl/internal/cli/orphaning"
	"github.com/fedctl/fedctl/internal/cli/prune"
	"github.com/fedctl/fedctl/internal/cli/render"
	"github.com/fedctl/fedctl/internal/cli/status"
	"github.com/fedctl/fedctl/internal/cli/support"
	"github.com/fedctl/fedctl/internal/cli/top"
	"github.com/fedctl/fedctl/internal/cli/tree"
	"github.com/fedctl/fedctl/internal/cli/uninstall"
	"github.com/fedctl/fedctl/internal/cli/unjoin"
	"github.com/fedctl/fedctl/internal/cli/version"
)

// NewCommand returns the command tree. name is how the program was called:
// fedctl, or "kubectl fed" when kubectl runs it as its plugin.
func NewCommand(name string, streams genericiooptions.IOStreams) *cobra.Command {
	factory := cmdutil.NewFactory(streams)
	root := &cobra.Command{
		Use:         strings.ReplaceAll(name, " ", "-"), // cobra takes the first word for the name
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: name},
		Short:       "Federate Kubernetes resources over several clusters",
		Long: `fedctl joins member clusters to a host cluster, enables the federation of types,
and answers what is where and why. The controller in the host cluster does the
work; fedctl needs only kubeconfig contexts.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	factory.AddHostFlags(root.PersistentFlags())
	addLogFlags(root.PersistentFlags())
	root.SetGlobalNormalizationFunc(dashes)
	for _, flag := range []string{"host-cluster-context", "context"} {
		_ = root.RegisterFlagCompletionFunc(flag, factory.CompleteContexts)
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.AddCommand(backup.NewCommand(factory), get.NewCommand(factory), join.NewCommand(factory), prune.NewCommand(factory), unjoin.NewCommand(factory))
	root.AddCommand(disable.NewCommand(factory), enable.NewCommand(factory), install.NewCommand(factory), uninstall.NewCommand(factory), version.NewCommand(factory))
	root.AddCommand(federate.NewCommand(factory), orphaning.NewCommand(factory), status.NewCommand(factory))
	root.AddCommand(migrate.NewCommand(factory), diff.NewCommand(factory), doctor.NewCommand(factory), explain.NewCommand(factory), render.NewCommand(factory), support.NewCommand(factory), top.NewCommand(factory))
	root.AddCommand(localCommands(factory)...)
	root.AddCommand(export.NewCommand(factory), importing.NewCommand(factory), kubeconfig.NewCommand(factory), kubectl.NewCommand(factory), logs.NewCommand(factory), exec.NewCommand(factory), events.NewCommand(factory), tree.NewCommand(factory))
	_ = root.RegisterFlagCompletionFunc("kubefed-namespace", fedtypes.CompleteNamespaces(factory))
	completeNoFiles(root)
	explainUsage(root)
	nameInExamples(root, name)
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, command.CommandPath())
	})
	return root
}

// fileFlags are those whose value is the name of a file or folder.
var fileFlags = []string{"kubeconfig", "filename", "facts", "dir", "binary", "password-file"}

// completeNoFiles keeps shells from offering files where none can be meant: as
// arguments, and as values of flags that do not complete theirs.
func completeNoFiles(command *cobra.Command) {
	command.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		if _, completed := command.GetFlagCompletionFunc(flag.Name); !completed && !slices.Contains(fileFlags, flag.Name) {
			_ = command.RegisterFlagCompletionFunc(flag.Name, cobra.NoFileCompletions)
		}
	})
	for _, child := range command.Commands() {
		completeNoFiles(child)
	}
	if !command.HasSubCommands() && command.ValidArgsFunction == nil {
		command.ValidArgsFunction = cobra.NoFileCompletions
	}
}

// nameInExamples has examples call the program as it was called.
func nameInExamples(command *cobra.Command, name string) {
	command.Example = strings.ReplaceAll("\n"+command.Example, "\n  fedctl ", "\n  "+name+" ")[1:]
	for _, child := range command.Commands() {
		nameInExamples(child, name)
	}
}

// explainUsage makes arguments that do not fit an error that shows those that do,
// and that of a group of commands no help that a script takes for success.
func explainUsage(command *cobra.Command) {
	for _, child := range command.Commands() {
		explainUsage(child)
	}
	if command.HasSubCommands() && command.RunE == nil && command.HasParent() {
		command.Args = cobra.NoArgs
		command.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	check := command.Args
	if check == nil {
		return
	}
	command.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		switch {
		case err == nil:
			return nil
		case cmd.HasSubCommands():
			return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
		case len(args) == 0:
			return fmt.Errorf("an argument is missing: %s; see %s --help", cmd.UseLine(), cmd.CommandPath())
		}
		return fmt.Errorf("the arguments %q do not fit: %s; see %s --help", args, cmd.UseLine(), cmd.CommandPath())
	}
}

// addLogFlags adds client-go's verbosity, under the name that it has for kubefedctl
// and kubectl: scripts call "kubefedctl join … --v=2". The other flags that kubefedctl has
// for its log are taken as well, without effect: nothing is logged into files.
func addLogFlags(flags *pflag.FlagSet) {
	quieten()
	all := goflag.NewFlagSet("klog", goflag.ContinueOnError)
	klog.InitFlags(all)
	all.VisitAll(func(flag *goflag.Flag) {
		if flag.Name == "v" {
			return
		}
		unused := pflag.PFlagFromGoFlag(flag)
		unused.Value = &ignored{kind: unused.Value.Type(), text: flag.DefValue}
		unused.Usage, unused.Hidden = "Has no effect.", true
		flags.AddFlag(unused)
	})
	flag := pflag.PFlagFromGoFlag(all.Lookup("v"))
	flag.Value = &verbosity{flag.Value}
	flag.Usage = "How much to log of the requests to clusters, to standard error; 6 names them, 7 and more show their headers as well. What they hold is never shown: it may be a Secret."
	flags.AddFlag(flag)
}

// verbosity is client-go's. Below the level that asks for requests nothing is logged:
// scripts that read standard error do not expect what libraries have to say.
type verbosity struct{ pflag.Value }

// quieten is once for the program, as the handlers are.
var quieten = sync.OnceFunc(func() { utilruntime.ErrorHandlers = []utilruntime.ErrorHandler{logAsked} })

// logAsked logs what libraries cannot return, which commands say themselves as far as it matters.
func logAsked(_ context.Context, err error, message string, keysAndValues ...any) {
	klog.V(requests).InfoS(message, append(keysAndValues, "err", err)...)
}

// requests is the least level at which requests are named; above headers client-go
// shows what they and their answers hold, tokens and Secrets included.
const requests, headers = 6, 7

// Set implements pflag.Value.
func (v *verbosity) Set(text string) error {
	switch level, err := strconv.Atoi(text); {
	case err != nil:
	case level < requests:
		text = "0"
	case level > headers:
		text = strconv.Itoa(headers)
	}
	return v.Value.Set(text)
}

// ignored is the value of a flag without effect.
type ignored struct{ kind, text string }

func (i *ignored) String() string { return i.text }

// Set implements pflag.Value.
func (i *ignored) Set(text string) error {
	i.text = text
	return nil
}

// Type implements pflag.Value.
func (i *ignored) Type() string { return i.kind }

// dashes lets underscores stand for dashes in the names of flags, as kubefedctl does.
func dashes(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
}
