package chart

import (
	"fmt"
	"strings"

	"github.com/fedctl/fedctl/config"
)

// monitoring adds the templates of the alerts and the dashboard, which are only in the
// chart and in a kustomization of their own: what installs neither Prometheus' operator nor
// Grafana cannot know whether they are there.
func monitoring(files map[string]string) error {
	rules, err := config.Files.ReadFile("monitoring/prometheusrule.yaml")
	if err != nil {
		return err
	}
	_, spec, found := strings.Cut(string(rules), "\nspec:\n")
	if !found {
		return fmt.Errorf("config/monitoring/prometheusrule.yaml has no spec")
	}
	board, err := config.Files.ReadFile("monitoring/dashboard.json")
	if err != nil {
		return err
	}
	files[Name+"/templates/prometheusrule.yaml"] = Mark + optional("prometheusRule",
		"monitoring.coreos.com/v1", "PrometheusRule", "fedctl", "spec:\n"+literal(spec))
	files[Name+"/templates/dashboard.yaml"] = Mark + optional("dashboard",
		"v1", "ConfigMap", "fedctl-dashboard", "data:\n  fedctl.json: |\n"+literal(indented(string(board), "    "))+"\n")
	return nil
}

// optional is the template of an object that there is where its group of values says so,
// with the labels that the group has.
func optional(group, apiVersion, kind, name, content string) string {
	return fmt.Sprintf(`{{- if .Values.%[1]s.enabled }}
---
apiVersion: %[2]s
kind: %[3]s
metadata:
  name: %[4]s
  namespace: {{ .Release.Namespace | quote }}
  labels:
    app.kubernetes.io/part-of: fedctl
    {{- with .Values.%[1]s.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
%[5]s{{- end }}
`, group, apiVersion, kind, name, content)
}

// literal has Helm print what others are to read as a template.
func literal(text string) string {
	return strings.NewReplacer("{{", "{{`{{`}}", "}}", "{{`}}`}}").Replace(text)
}
