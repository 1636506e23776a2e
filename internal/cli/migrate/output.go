package migrate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/internal/cli/migrate/analysis"
	"github.com/fedctl/fedctl/internal/finding"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/errtext"
)

func printReport(printer *view.Printer, r *analysis.Report) error {
	if !printer.ShowsTable() {
		return printer.PrintDocument(r)
	}
	data, err := text(r, printer.Format == view.Wide)
	if err != nil {
		return err
	}
	_, err = printer.Out.Write(data)
	return err
}

// text is the report for people.
func text(r *analysis.Report, wide bool) ([]byte, error) {
	b := &strings.Builder{}
	fmt.Fprintf(b, "KubeFed in namespace %s, scope %s\n\n", r.Namespace, view.Text(r.KubeFed.Scope))
	overview(b, r)
	for _, table := range []func(io.Writer, *analysis.Report) error{clusterTable, typeTable} {
		if err := table(b, r); err != nil {
			return nil, err
		}
	}
	if wide {
		if err := settingTable(b, r); err != nil {
			return nil, err
		}
	}
	if err := finding.Write(b, r.Findings, wide); err != nil {
		return nil, err
	}
	steps(b, r)
	return []byte(b.String()), nil
}

func overview(b *strings.Builder, r *analysis.Report) {
	ready := func(s string) string {
		if s == "" {
			return "not there"
		}
		return s + " ready"
	}
	leader := "nobody"
	if r.KubeFed.Leader != "" {
		leader = r.KubeFed.Leader
	}
	webhooks := "none"
	if len(r.KubeFed.WebhookConfigurations) > 0 {
		webhooks = strings.Join(r.KubeFed.WebhookConfigurations, ", ")
	}
	fmt.Fprintf(b, "  controller   %s; leader: %s\n  webhook      %s; configurations: %s\n", ready(r.KubeFed.Controller), leader, ready(r.KubeFed.Webhook), webhooks)
	for _, plural := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(b, "  %s: %d\n", plural, r.Counts[plural])
	}
}

// table prints a table after an empty line, unless it has no rows.
func table(b io.Writer, columns []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	t := &metav1.Table{ColumnDefinitions: view.Columns(len(columns), columns...)}
	for _, row := range rows {
		cells := make([]any, len(row))
		for i := range row {
			cells[i] = view.Text(row[i])
		}
		t.Rows = append(t.Rows, metav1.TableRow{Cells: cells})
	}
	fmt.Fprintln(b)
	return (&view.Printer{Out: b}).PrintTable(t)
}

func clusterTable(b io.Writer, r *analysis.Report) error {
	var rows [][]string
	for _, c := range r.Clusters {
		rows = append(rows, []string{c.Name, c.Ready, c.Kubernetes, c.Token, errtext.Address(c.Endpoint)})
	}
	return table(b, []string{"Cluster", "Ready", "Version", "Token", "Endpoint"}, rows)
}

func typeTable(b io.Writer, r *analysis.Report) error {
	var rows [][]string
	for _, t := range r.Types {
		rows = append(rows, []string{t.Name, t.Target, t.FederatedType, t.Propagation, t.Status, fmt.Sprint(t.Objects), fmt.Sprint(t.NotPropagated)})
	}
	return table(b, []string{"Type", "Target", "Federated Type", "Propagation", "Status", "Objects", "Not Propagated"}, rows)
}

func settingTable(b io.Writer, r *analysis.Report) error {
	var rows [][]string
	for _, s := range r.Settings {
		rows = append(rows, []string{s.Field, s.Value, s.Effect})
	}
	return table(b, []string{"KubeFedConfig", "Value", "With fedctl"}, rows)
}

func steps(b *strings.Builder, r *analysis.Report) {
	verdict := "Ready for the move."
	if !r.Ready {
		verdict = "Not ready for the move: mend what blocks."
	}
	fmt.Fprintf(b, "\n%s What to run, in this order:\n", verdict)
	for i, step := range r.Steps {
		fmt.Fprintf(b, "\n%d. %s\n", i+1, step.Why)
		for _, command := range step.Commands {
			fmt.Fprintf(b, "   %s\n", command)
		}
	}
}
