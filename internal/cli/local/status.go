package local

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/internal/view"
)

// StatusOptions are the options of "local status".
type StatusOptions struct {
	genericiooptions.IOStreams

	Output cmdutil.Output

	dir *dirFlag
}

func newStatus(f *cmdutil.Factory, dir *dirFlag) *cobra.Command {
	o := &StatusOptions{IOStreams: f.IOStreams, dir: dir, Output: cmdutil.NewOutput(view.Wide, view.JSON, view.YAML)}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the local clusters and what runs of them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return err
			}
			return o.Run(cmd.Context())
		},
	}
	o.Output.AddFlag(cmd, "Output format")
	return cmd
}

// Validate checks the output format.
func (o *StatusOptions) Validate() error { return o.Output.Validate() }

// Run prints the state of every cluster.
func (o *StatusOptions) Run(ctx context.Context) error {
	fleet, err := o.dir.load()
	if err != nil {
		return err
	}
	return printStatus(&view.Printer{Out: o.Out, Format: o.Output.Format}, fleet.Status(ctx))
}

func printStatus(printer *view.Printer, status localcluster.FleetStatus) error {
	if !printer.ShowsTable() {
		return printer.PrintDocument(status)
	}
	columns := view.Columns(10, "Cluster", "Role", "State", "Version", "Nodes", "GPUs", "Endpoint", "Region", "Processes", "Message")
	columns[7].Priority, columns[8].Priority = 1, 1
	table := &metav1.Table{ColumnDefinitions: columns}
	for i := range status.Clusters {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: statusCells(&status.Clusters[i])})
	}
	return printer.PrintTable(table)
}

func statusCells(cluster *localcluster.ClusterStatus) []any {
	nodes, gpus := view.Empty, view.Empty
	if cluster.Version != "" {
		nodes, gpus = fmt.Sprint(cluster.Nodes), fmt.Sprint(cluster.GPUs)
	}
	var processes []string
	for _, component := range cluster.Components {
		text := component.Name + ":" + string(component.State)
		if component.PID != 0 {
			text = fmt.Sprintf("%s:%d", component.Name, component.PID)
		}
		processes = append(processes, text)
	}
	return []any{
		cluster.Name, cluster.Role, string(cluster.State), view.Text(cluster.Version), nodes, gpus, view.Text(cluster.Endpoint),
		view.Text(cluster.Region), view.Text(strings.Join(processes, ",")), view.Text(cluster.Message),
	}
}
