package backup

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// term is a part of a policy, in words.
type term struct{ name, value string }

// policyOf puts a Backup's spec into words; parts that are not set are left out,
// but for those whose absence matters.
func policyOf(spec *backupv1alpha1.BackupSpec) []term {
	terms := []term{{"Schedule", spec.Schedule + " (" + orDefault(spec.TimeZone, "UTC") + ")"}}
	add := func(name, value string) {
		if value != "" {
			terms = append(terms, term{name, value})
		}
	}
	if spec.Suspend {
		add("Suspended", "yes")
	}
	add("Jitter", duration(spec.Jitter))
	add("Repository", spec.RepositoryRef.Name)
	add("Source", sourceOf(&spec.Source))
	add("Retention", orDefault(retentionOf(spec.Retention), "all runs are kept"))
	if v := spec.Verify; v != nil {
		how := "not set"
		switch {
		case v.EveryRuns != nil:
			how = fmt.Sprintf("every %d runs", *v.EveryRuns)
		case v.Schedule != "":
			how = v.Schedule
		}
		add("Verify", how+" ("+orDefault(v.Mode, "Checksum")+")")
	}
	objective := "none"
	if spec.Objective != nil {
		objective = "a good run every " + duration(&spec.Objective.MaxAge)
	}
	add("Objective", objective)
	add("Timeout", duration(spec.Timeout))
	add("Concurrency", orDefault(string(spec.ConcurrencyPolicy), string(backupv1alpha1.ConcurrencyForbid)))
	if spec.DeletionPolicy == backupv1alpha1.DeletionDelete {
		add("Deletion", "stored data is deleted with the Backup")
	}
	if spec.Hooks != nil {
		add("Hooks", fmt.Sprintf("%d before, %d after", len(spec.Hooks.Pre), len(spec.Hooks.Post)))
	}
	return terms
}

func sourceOf(source *backupv1alpha1.BackupSource) string {
	parts := []string{"the Backup's namespace"}
	if len(source.Namespaces) > 0 {
		parts[0] = "namespaces " + strings.Join(source.Namespaces, ", ")
	}
	if len(source.IncludedResources) > 0 {
		parts = append(parts, "only "+strings.Join(source.IncludedResources, ", "))
	}
	if len(source.ExcludedResources) > 0 {
		parts = append(parts, "without "+strings.Join(source.ExcludedResources, ", "))
	}
	if source.LabelSelector != nil {
		parts = append(parts, "labels "+metav1.FormatLabelSelector(source.LabelSelector))
	}
	if source.IncludeClusterResources {
		parts = append(parts, "objects in no namespace, too")
	}
	if source.Volumes == "Snapshot" {
		parts = append(parts, "snapshots of volumes")
	}
	return strings.Join(parts, "; ")
}

func retentionOf(r *backupv1alpha1.Retention) string {
	if r == nil {
		return ""
	}
	var parts []string
	for _, rule := range []struct {
		name  string
		value *int32
	}{{"last", r.Last}, {"hourly", r.Hourly}, {"daily", r.Daily}, {"weekly", r.Weekly}, {"monthly", r.Monthly}, {"yearly", r.Yearly}, {"always at least", r.MinGood}} {
		// One good run is kept anyway.
		if rule.value != nil && (rule.value != r.MinGood || *rule.value > 1) {
			parts = append(parts, fmt.Sprintf("%s %d", rule.name, *rule.value))
		}
	}
	if r.MaxAge != nil {
		parts = append(parts, "none older than "+duration(r.MaxAge))
	}
	return strings.Join(parts, ", ")
}

// differing are the terms of own that are not in policy, and those that it lacks.
func differing(policy, own []term) []term {
	have := map[string]string{}
	for _, t := range own {
		have[t.name] = t.value
	}
	var list []term
	in := map[string]bool{}
	for _, t := range policy {
		in[t.name] = true
		if value, ok := have[t.name]; !ok {
			list = append(list, term{t.name, "not set"})
		} else if value != t.value {
			list = append(list, term{t.name, value})
		}
	}
	for _, t := range own {
		if !in[t.name] {
			list = append(list, t)
		}
	}
	return list
}

func printPolicy(to io.Writer, terms []term) {
	w := tabwriter.NewWriter(to, 0, 0, 3, ' ', 0)
	for _, t := range terms {
		fmt.Fprintf(w, "    %s:\t%s\n", t.name, t.value)
	}
	_ = w.Flush() // as with any other print
}

func duration(d *metav1.Duration) string {
	if d == nil {
		return ""
	}
	text := d.Duration.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func orDefault(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
