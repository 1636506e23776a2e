package local

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
)

// StatusOptions are the options of "local status".
type StatusOptions struct {
	genericiooptions.IOStreams

	// Output is "", "wide", "json" or "yaml".
	Output string

	dir *dirFlag
}

func newStatus(f *cmdutil.Factory, dir *dirFlag) *cobra.Command {
	o := &StatusOptions{IOStreams: f.IOStreams, dir: dir}
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
	cmd.Flags().StringVarP(&o.Output, "output", "o", o.Output, "Output format: wide, json or yaml.")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(statusFormats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

var statusFormats = []string{"wide", "json", "yaml"}

// Validate checks the output format.
func (o *StatusOptions) Validate() error { return cmdutil.CheckFormat(o.Output, statusFormats) }

// Run prints the state of every cluster.
func (o *StatusOptions) Run(ctx context.Context) error {
	fleet, err := o.dir.load()
	if err != nil {
		return err
	}
	return printStatus(o.Out, fleet.Status(ctx), o.Output)
}

func printStatus(out io.Writer, status localcluster.FleetStatus, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(status)
	case "yaml":
		data, err := yaml.Marshal(status)
		if err != nil {
			return err
		}
		_, err = out.Write(data)
		return err
	}
	table := printers.GetNewTabWriter(out)
	header := []string{"CLUSTER", "ROLE", "STATE", "VERSION", "NODES", "GPUS", "ENDPOINT"}
	if format == "wide" {
		header = append(header, "REGION", "PROCESSES")
	}
	_, _ = fmt.Fprintln(table, strings.Join(append(header, "MESSAGE"), "\t"))
	for i := range status.Clusters {
		_, _ = fmt.Fprintln(table, strings.Join(statusRow(&status.Clusters[i], format == "wide"), "\t"))
	}
	return table.Flush()
}

func statusRow(cluster *localcluster.ClusterStatus, wide bool) []string {
	version, nodes, gpus := "-", "-", "-"
	if cluster.Version != "" {
		version, nodes, gpus = cluster.Version, fmt.Sprint(cluster.Nodes), fmt.Sprint(cluster.GPUs)
	}
	row := []string{cluster.Name, cluster.Role, string(cluster.State), version, nodes, gpus, cluster.Endpoint}
	if wide {
		var processes []string
		for _, component := range cluster.Components {
			text := component.Name + ":" + string(component.State)
			if component.PID != 0 {
				text = fmt.Sprintf("%s:%d", component.Name, component.PID)
			}
			processes = append(processes, text)
		}
		row = append(row, cluster.Region, strings.Join(processes, ","))
	}
	return append(row, cluster.Message)
}
