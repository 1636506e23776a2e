package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/reach"
)

var errOutside = errors.New("not all backups are within their objective")

// statusOptions are the flags of status.
type statusOptions struct {
	output
	Namespace      string
	All, ExitCode  bool
	FederatedOnly  bool
	RequestTimeout time.Duration
}

func newStatusCommand(f *cmdutil.Factory) *cobra.Command {
	o := &statusOptions{output: newOutput(f)}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the backups of all clusters stand",
		Long: `Show how the backups stand in each cluster, the oldest recovery point first.

OBJECTIVE is OK, Exceeded, "-" for a Backup that has none, or Unknown: the cluster
cannot be reached or has not reported yet, whatever was last known of it. ORIGIN is
Federated for what a FederatedBackup has made, and Member for a Backup that was made
in the cluster itself. The reason Forbidden is a member that does not let the host's
controller execute its backups; the message has the command that does.`,
		Example: `  fedctl backup status -A

  # For a script: fails unless all are within their objective
  fedctl backup status -A --exit-code`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.All {
				o.Namespace = ""
			}
			return o.run(cmd.Context())
		},
	}
	o.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&o.Namespace, "namespace", "n", "default", "Namespace of the Backups.")
	_ = cmd.RegisterFlagCompletionFunc("namespace", fedtypes.CompleteNamespaces(f))
	flags.BoolVarP(&o.All, "all-namespaces", "A", false, "Backups of all namespaces.")
	flags.BoolVar(&o.ExitCode, "exit-code", false, "Fail if a backup is not known to be within its objective.")
	flags.BoolVar(&o.FederatedOnly, "federated-only", false, "Only what FederatedBackups say; the member clusters are not asked.")
	flags.DurationVar(&o.RequestTimeout, "request-timeout", defaultRequestTimeout, requestTimeoutUsage)
	return cmd
}

const (
	defaultRequestTimeout = 5 * time.Second
	requestTimeoutUsage   = "How long a member cluster may take to answer a request."
)

func (o *statusOptions) run(ctx context.Context) error {
	if err := o.validate(); err != nil {
		return err
	}
	fleet, err := newFleet(o.factory, o.RequestTimeout)
	if err != nil {
		return err
	}
	clusters, err := fleet.clusters(ctx, nil)
	if err != nil {
		return err
	}
	federated, err := fleet.federated(ctx, o.Namespace)
	if err != nil {
		return err
	}
	ready := readyNames(clusters)
	var states []memberState
	if !o.FederatedOnly {
		asked := slices.DeleteFunc(slices.Clone(clusters), func(c fedcorev1beta1.KubeFedCluster) bool { return !ready[c.Name] })
		answers, err := fleet.read(ctx, asked, what{namespace: o.Namespace})
		if err != nil {
			return err
		}
		states = slices.Concat(answers, notReady(clusters))
	}
	rows := view.Backups(federated, ready, found(states))
	view.ExplainBlocked(rows, clusters, time.Now())
	o.tellSilent(states)
	if err := o.print(view.List{Items: rows, Names: view.BackupNames(rows), Table: view.BackupTable(rows, time.Now())}, "No Backups are in any cluster."); err != nil {
		return err
	}
	if o.ExitCode && slices.ContainsFunc(rows, func(r view.BackupRow) bool { return r.Objective == view.Exceeded || r.Objective == view.Unknown }) {
		return errOutside
	}
	return nil
}

var federatedBackups = schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedBackupList"}

// federated lists the FederatedBackups. A control plane may do without that type.
func (f *fleet) federated(ctx context.Context, namespace string) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(federatedBackups)
	if err := f.host.List(ctx, list, client.InNamespace(namespace)); err != nil && !meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("listing FederatedBackups: %w", err)
	}
	return list.Items, nil
}

// notReady are the members that are not asked, since the control plane has just done so.
func notReady(clusters []fedcorev1beta1.KubeFedCluster) []memberState {
	var states []memberState
	for i := range clusters {
		if name := clusters[i].Name; !reach.IsReady(&clusters[i]) {
			states = append(states, memberState{MemberBackups: view.MemberBackups{
				Cluster: name, Reason: view.ReasonNotReady, Message: fmt.Sprintf("the cluster is not ready; see \"fedctl get clusters %s\"", name),
			}})
		}
	}
	return states
}

func readyNames(clusters []fedcorev1beta1.KubeFedCluster) map[string]bool {
	ready := map[string]bool{}
	for i := range clusters {
		ready[clusters[i].Name] = reach.IsReady(&clusters[i])
	}
	return ready
}
