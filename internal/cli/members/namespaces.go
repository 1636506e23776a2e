package members

import (
	"github.com/spf13/cobra"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// Namespaces are the flags of a command that reads a namespace of the members, or all.
type Namespaces struct {
	Namespace     string
	AllNamespaces bool
}

// AddNamespaces adds -n and -A.
func (o *Namespaces) AddNamespaces(f *cmdutil.Factory, cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "", "The namespace in the member clusters; by default that of the context.")
	flags.BoolVarP(&o.AllNamespaces, "all-namespaces", "A", false, "All namespaces.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
}

// ResolveNamespace finds out what is meant: no namespace for all.
func (o *Namespaces) ResolveNamespace(f *cmdutil.Factory) (err error) {
	switch {
	case o.AllNamespaces:
		o.Namespace = ""
	case o.Namespace == "":
		o.Namespace, err = fedtypes.ContextNamespace(f)
	}
	return err
}

// Where is how messages call it.
func (o *Namespaces) Where() string {
	if o.AllNamespaces {
		return "in the members"
	}
	return "in namespace " + errtext.Bounded(o.Namespace, errtext.Cluster) + " of the members"
}
