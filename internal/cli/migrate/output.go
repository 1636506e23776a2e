package migrate

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/cli/migrate/analysis"
)

// shownObjects is how many names a finding shows, but with -o wide.
const shownObjects = 5

func printReport(out io.Writer, r *analysis.Report, format string) error {
	var data []byte
	var err error
	switch format {
	case "json":
		data, err = json.MarshalIndent(r, "", "  ")
		data = append(data, '\n')
	case "yaml":
		data, err = yaml.Marshal(r)
	default:
		data, err = text(r, format == "wide")
	}
	if err != nil {
		return err
	}
	_, err = out.Write(data)
	return err
}

// text is the report for people.
func text(r *analysis.Report, wide bool) ([]byte, error) {
	b := &strings.Builder{}
	fmt.Fprintf(b, "KubeFed in namespace %s, scope %s\n\n", r.Namespace, orDash(r.KubeFed.Scope))
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
	findings(b, r, wide)
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

func table(b io.Writer, header string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "\n%s\n", header)
	for _, row := range rows {
		for i := range row {
			row[i] = orDash(row[i])
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

func clusterTable(b io.Writer, r *analysis.Report) error {
	var rows [][]string
	for _, c := range r.Clusters {
		rows = append(rows, []string{c.Name, c.Ready, c.Kubernetes, c.Token, c.Endpoint})
	}
	return table(b, "CLUSTER\tREADY\tVERSION\tTOKEN\tENDPOINT", rows)
}

func typeTable(b io.Writer, r *analysis.Report) error {
	var rows [][]string
	for _, t := range r.Types {
		rows = append(rows, []string{t.Name, t.Target, t.FederatedType, t.Propagation, t.Status, fmt.Sprint(t.Objects), fmt.Sprint(t.NotPropagated)})
	}
	return table(b, "TYPE\tTARGET\tFEDERATED TYPE\tPROPAGATION\tSTATUS\tOBJECTS\tNOT PROPAGATED", rows)
}

func settingTable(b io.Writer, r *analysis.Report) error {
	var rows [][]string
	for _, s := range r.Settings {
		rows = append(rows, []string{s.Field, s.Value, s.Effect})
	}
	return table(b, "KUBEFEDCONFIG\tVALUE\tWITH FEDCTL", rows)
}

func findings(b *strings.Builder, r *analysis.Report, wide bool) {
	titles := map[analysis.Level]string{analysis.Blocks: "BLOCKS", analysis.Warning: "WARNING", analysis.Note: "NOTE"}
	for _, f := range r.Findings {
		fmt.Fprintf(b, "\n%s %s", titles[f.Level], f.Code)
		if f.Subject != "" {
			fmt.Fprintf(b, ": %s", f.Subject)
		}
		if names := f.Objects; len(names) > 0 {
			more := ""
			if !wide && len(names) > shownObjects {
				more = fmt.Sprintf(" and %d more", len(names)-shownObjects)
				names = names[:shownObjects]
			}
			fmt.Fprintf(b, " %s%s", strings.Join(names, ", "), more)
		}
		fmt.Fprintf(b, "\n  %s\n", f.Message)
		if f.Do != "" {
			fmt.Fprintf(b, "  -> %s\n", f.Do)
		}
	}
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

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
