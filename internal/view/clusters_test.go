package view

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/membership"
	"github.com/fedctl/fedctl/pkg/reach"
)

// The tables that the documentation shows have the columns of today.
func TestColumnsInTheDocumentation(t *testing.T) {
	var known [][]string
	for _, columns := range [][]metav1.TableColumnDefinition{ClusterColumns(), fleetColumns()} {
		var narrow, wide []string
		for _, column := range columns {
			if wide = append(wide, strings.ToUpper(column.Name)); column.Priority == 0 {
				narrow = append(narrow, strings.ToUpper(column.Name))
			}
		}
		known = append(known, narrow, wide)
	}
	shown := 0
	for _, name := range []string{"README.md", "docs/user-guide.md"} {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			header := strings.Fields(line)
			if len(header) < 2 || header[0] != "NAME" || !slices.Contains(header, "ACCELERATORS") {
				continue
			}
			shown++
			if !slices.ContainsFunc(known, func(columns []string) bool { return slices.Equal(header, columns) }) {
				t.Errorf("%s: %v", name, header)
			}
		}
	}
	if shown < 3 {
		t.Errorf("%d tables of clusters are shown", shown)
	}
}

func TestClusterTable(t *testing.T) {
	now := time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC)
	condition := func(kind fedcommon.ClusterConditionType, status corev1.ConditionStatus, reason, message string) fedcorev1beta1.ClusterCondition {
		return fedcorev1beta1.ClusterCondition{Type: kind, Status: status, Reason: &reason, Message: &message}
	}
	cluster := func(name string, conditions ...fedcorev1beta1.ClusterCondition) fedcorev1beta1.KubeFedCluster {
		c := fedcorev1beta1.KubeFedCluster{}
		c.Name, c.CreationTimestamp, c.Status.Conditions = name, metav1.NewTime(now.Add(-90*time.Minute)), conditions
		c.Spec.APIEndpoint = "https://" + name
		return c
	}
	ready := cluster("ready", condition(fedcommon.ClusterReady, corev1.ConditionTrue, "ClusterReady", "ok"),
		condition(fedcommon.ClusterOffline, corev1.ConditionFalse, "ClusterReachable", "reachable"))
	ready.Status.KubernetesVersion, ready.Status.Region, ready.Status.Zones = "v1.36.3", ptr.To("eu"), []string{"a", "b"}
	ready.Annotations = map[string]string{membership.NodesAnnotation: "3", membership.AcceleratorsAnnotation: "nvidia.com/gpu=8", reach.TokenExpiresAnnotation: "2026-12-01T10:00:00Z"}
	plain := cluster("plain", condition(fedcommon.ClusterReady, corev1.ConditionFalse, "ClusterNotReady", "ill"))
	plain.Annotations = map[string]string{membership.NodesAnnotation: "1", membership.AcceleratorsAnnotation: ""}
	clusters := []fedcorev1beta1.KubeFedCluster{
		ready, plain,
		cluster("new"),
		cluster("kubefed-offline", condition(fedcommon.ClusterOffline, corev1.ConditionTrue, "ClusterNotReachable", "gone")),
	}
	for _, tc := range []struct {
		name   string
		format string
		want   string
	}{
		{"narrow", "", `NAME              READY     VERSION   REGION   ZONES   NODES   ACCELERATORS       AGE   REASON
ready             True      v1.36.3   eu       a,b     3       nvidia.com/gpu=8   90m   ClusterReady
plain             False     -         -        -       1       none               90m   ClusterNotReady
new               Unknown   -         -        -       -       -                  90m   -
kubefed-offline   False     -         -        -       -       -                  90m   ClusterNotReachable
`},
		{"wide", Wide, `NAME              READY     VERSION   REGION   ZONES   NODES   ACCELERATORS       AGE   REASON                ENDPOINT                  TOKEN-ENDS             MESSAGE
ready             True      v1.36.3   eu       a,b     3       nvidia.com/gpu=8   90m   ClusterReady          https://ready             2026-12-01T10:00:00Z   ok
plain             False     -         -        -       1       none               90m   ClusterNotReady       https://plain             -                      ill
new               Unknown   -         -        -       -       -                  90m   -                     https://new               -                      -
kubefed-offline   False     -         -        -       -       -                  90m   ClusterNotReachable   https://kubefed-offline   -                      gone
`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := (&Printer{Out: &out, Format: tc.format}).PrintTable(ClusterTable(Clusters(clusters), now)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}
