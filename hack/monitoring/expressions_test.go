package monitoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

const root = "../.."

// rule is an alert of the PrometheusRule.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var object struct {
		Spec struct {
			Groups []struct{ Rules []rule }
		}
	}
	raw := read(t, "config/monitoring/prometheusrule.yaml")
	if err := yaml.UnmarshalStrict(raw, &map[string]any{}); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	var all []rule
	for _, g := range object.Spec.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("no rules")
	}
	return all
}

// dashboard is what is read of Grafana's.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Query string }
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// documented are the metrics that docs/reference.md names, which test/docs compares with the
// program.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{"leader_election_master_status": true, "rest_client_requests_total": true}
	row := regexp.MustCompile("(?m)^\\| `(fedctl_[a-z_]+)`")
	for _, found := range row.FindAllStringSubmatch(string(read(t, "docs/reference.md")), -1) {
		names[found[1]] = true
	}
	return names
}

// check parses an expression, and looks for its metrics.
func check(t *testing.T, where, expression string, known map[string]bool) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		name := selector.Name
		for _, m := range selector.LabelMatchers {
			if m.Name == labels.MetricName {
				name = m.Value
			}
		}
		base := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		if !known[name] && !known[base] {
			t.Errorf("%s: no metric %s is in docs/reference.md", where, name)
		}
		return nil
	})
}

func TestExpressionsOfAlerts(t *testing.T) {
	known := documented(t)
	for _, r := range rules(t) {
		check(t, r.Alert, r.Expr, known)
	}
}

func TestExpressionsOfTheDashboard(t *testing.T) {
	known := documented(t)
	var board dashboard
	if err := json.Unmarshal(read(t, "config/monitoring/dashboard.json"), &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Panels) == 0 {
		t.Error("no panels")
	}
	for _, panel := range board.Panels {
		if len(panel.Targets) == 0 {
			t.Errorf("panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			check(t, panel.Title, strings.ReplaceAll(target.Expr, "$cluster", ".*"), known)
		}
	}
}

func TestRunbooks(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs/runbooks/*.md"))
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for _, page := range pages {
		unused[filepath.Base(page)] = true
	}
	for _, r := range rules(t) {
		name := filepath.Base(r.Annotations["runbook_url"])
		if !unused[name] {
			t.Errorf("%s: its runbook %q is not there, or another alert's", r.Alert, name)
			continue
		}
		delete(unused, name)
		text := string(read(t, "docs/runbooks/"+name))
		for _, part := range []string{"# " + r.Alert + "\n", "## What it means\n", "## What to look at\n", "## What to do\n"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s: %q is missing in %s", r.Alert, strings.TrimSpace(part), name)
			}
		}
	}
	delete(unused, "README.md")
	for name := range unused {
		t.Errorf("docs/runbooks/%s is of no alert", name)
	}
}
