package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// The words for a recovery point objective.
const (
	within  = "OK"
	outside = "Exceeded"
	none    = "-"
	// unknown is never OK: the member cannot be asked, or has not answered yet.
	unknown = "Unknown"
)

var errOutside = errors.New("not all backups are within their objective")

func newStatusCommand(f *cmdutil.Factory) *cobra.Command {
	var namespace string
	var all, exitCode bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the backups of all clusters stand",
		Long: `Show how the FederatedBackups stand in each cluster, the oldest recovery point first.

OBJECTIVE is OK, Exceeded, "-" for a Backup that has none, or Unknown: the cluster
cannot be reached or has not reported yet, whatever was last known of it.`,
		Example: `  fedctl backup status -A

  # For a script: fails unless all are within their objective
  fedctl backup status -A --exit-code`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all {
				namespace = ""
			}
			return status(cmd.Context(), f, namespace, exitCode)
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "default", "Namespace of the FederatedBackups.")
	cmd.Flags().BoolVarP(&all, "all-namespaces", "A", false, "FederatedBackups of all namespaces.")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "Fail if a backup is not known to be within its objective.")
	return cmd
}

// row is a Backup in one cluster.
type row struct {
	cluster, backup, objective, verified string
	last, next                           *metav1.Time
}

func status(ctx context.Context, f *cmdutil.Factory, namespace string, exitCode bool) error {
	host, err := f.HostClient()
	if err != nil {
		return err
	}
	var clusters fedcorev1beta1.KubeFedClusterList
	if err := host.List(ctx, &clusters, client.InNamespace(f.KubeFedNamespace)); err != nil {
		return fmt.Errorf("listing KubeFedClusters: %w", err)
	}
	backups := &unstructured.UnstructuredList{}
	backups.SetGroupVersionKind(schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedBackupList"})
	if err := host.List(ctx, backups, client.InNamespace(namespace)); err != nil {
		return fmt.Errorf("listing FederatedBackups: %w", err)
	}
	ready := map[string]bool{}
	for _, cluster := range clusters.Items {
		ready[cluster.Name] = slices.ContainsFunc(cluster.Status.Conditions, func(c fedcorev1beta1.ClusterCondition) bool {
			return c.Type == fedcommon.ClusterReady && c.Status == "True"
		})
	}
	rows := rowsOf(backups.Items, ready)
	printRows(f, rows, time.Now())
	if exitCode && slices.ContainsFunc(rows, func(r row) bool { return r.objective == outside || r.objective == unknown }) {
		return errOutside
	}
	return nil
}

// rowsOf has a row for each FederatedBackup and cluster, the oldest recovery point
// first, and before all of them those that have none.
func rowsOf(backups []unstructured.Unstructured, ready map[string]bool) []row {
	var rows []row
	for _, backup := range backups {
		clusters, _, _ := unstructured.NestedSlice(backup.Object, "status", "clusters")
		for _, element := range clusters {
			entry, ok := element.(map[string]any)
			if !ok {
				continue
			}
			rows = append(rows, rowOf(backup.GetNamespace()+"/"+backup.GetName(), entry, ready))
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(a.age().Compare(b.age()), cmp.Compare(a.cluster, b.cluster), cmp.Compare(a.backup, b.backup))
	})
	return rows
}

func (r row) age() time.Time {
	if r.last == nil {
		return time.Time{}
	}
	return r.last.Time
}

func rowOf(backup string, entry map[string]any, ready map[string]bool) row {
	name, _ := entry["name"].(string)
	r := row{cluster: name, backup: backup, objective: unknown, verified: unknown}
	raw, _ := entry["remoteStatus"].(map[string]any)
	var remote backupv1alpha1.BackupStatus
	if raw == nil || runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &remote) != nil {
		return r
	}
	// Without any condition, nobody has looked at the Backup yet.
	known := ready[name] && len(remote.Conditions) > 0
	if remote.LastSuccess != nil {
		r.last = remote.LastSuccess.Time
	}
	r.next = remote.NextRun
	if !known {
		return r
	}
	r.objective = word(meta.FindStatusCondition(remote.Conditions, backupv1alpha1.ConditionWithinObjective), within, outside)
	r.verified = word(meta.FindStatusCondition(remote.Conditions, backupv1alpha1.ConditionVerified), "True", "False")
	return r
}

func word(condition *metav1.Condition, yes, no string) string {
	switch {
	case condition == nil:
		return none
	case condition.Status == metav1.ConditionTrue:
		return yes
	case condition.Status == metav1.ConditionFalse:
		return no
	}
	return unknown
}

func printRows(f *cmdutil.Factory, rows []row, now time.Time) {
	if len(rows) == 0 {
		fmt.Fprintln(f.ErrOut, "No FederatedBackups are in any cluster.")
		return
	}
	w := tabwriter.NewWriter(f.Out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CLUSTER\tBACKUP\tLAST GOOD\tOBJECTIVE\tVERIFIED\tNEXT RUN")
	for _, r := range rows {
		last, next := "never", none
		if r.last != nil {
			last = duration.HumanDuration(now.Sub(r.last.Time)) + " ago"
		} else if r.objective == unknown {
			last = unknown
		}
		if r.next != nil {
			next = r.next.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.cluster, r.backup, last, r.objective, r.verified, next)
	}
	_ = w.Flush() // as with any other print
}
