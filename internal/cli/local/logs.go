package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
)

// LogsOptions are the options of "local logs".
type LogsOptions struct {
	genericiooptions.IOStreams

	Follow bool
	// Tail is how many of the last lines to print; negative: all.
	Tail int

	dir *dirFlag
}

func newLogs(f *cmdutil.Factory, dir *dirFlag) *cobra.Command {
	o := &LogsOptions{IOStreams: f.IOStreams, Tail: -1, dir: dir}
	cmd := &cobra.Command{
		Use:   "logs CLUSTER [COMPONENT]",
		Short: "Print the logs of a local cluster",
		Long: `Prints the log of a component (` + strings.Join(localcluster.Components, ", ") + `),
or of all of them, each line preceded by the component's name.`,
		Example:           `  fedctl local logs member-1 kube-apiserver --tail 20 -f`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: dir.completeClusters(localcluster.Components...),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.Run(cmd.Context(), args[0], args[1:]...)
		},
	}
	cmd.Flags().BoolVarP(&o.Follow, "follow", "f", o.Follow, "Go on printing what is added, until interrupted.")
	cmd.Flags().IntVar(&o.Tail, "tail", o.Tail, "Number of the last lines to print of each component; -1 prints all.")
	return cmd
}

// Run prints the logs of the given components of a cluster, or of all.
func (o *LogsOptions) Run(ctx context.Context, name string, components ...string) error {
	fleet, err := o.dir.load()
	if err != nil {
		return err
	}
	cluster, err := fleet.Member(name)
	if err != nil {
		return err
	}
	prefix := len(components) == 0
	if prefix {
		components = cluster.Components()
	}
	var logs []*logReader
	for _, component := range components {
		if !slices.Contains(cluster.Components(), component) {
			return fmt.Errorf("cluster %s has no component %q (it has: %s)", name, component, strings.Join(cluster.Components(), ", "))
		}
		log := &logReader{path: cluster.LogPath(component)}
		if prefix {
			log.prefix = component + " | "
		}
		if err := log.skip(o.Tail); err != nil {
			return err
		}
		logs = append(logs, log)
	}
	return o.print(ctx, logs)
}

func (o *LogsOptions) print(ctx context.Context, logs []*logReader) error {
	for {
		for _, log := range logs {
			if err := log.copy(o.Out, !o.Follow); err != nil {
				return err
			}
		}
		if !o.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// logReader reads a log file that may grow, or not exist yet.
type logReader struct {
	path, prefix string
	offset       int64
}

// skip moves to the last n lines.
func (l *logReader) skip(n int) error {
	if n < 0 {
		return nil
	}
	data, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	end := len(data)
	start := end
	for ; n > 0 && start > 0; n-- {
		// The line feed that ends the line before this one.
		start = bytes.LastIndexByte(data[:start-1], '\n') + 1
	}
	l.offset = int64(start)
	return nil
}

// copy prints the whole lines that were added since the last call; with rest,
// also what follows the last line feed.
func (l *logReader) copy(out io.Writer, rest bool) error {
	file, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(l.offset, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadString('\n')
		if err == nil || (rest && line != "") {
			l.offset += int64(len(line))
			_, writeErr := io.WriteString(out, l.prefix+strings.TrimSuffix(line, "\n")+"\n")
			if writeErr != nil {
				return writeErr
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
