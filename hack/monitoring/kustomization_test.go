package monitoring

import (
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func TestKustomization(t *testing.T) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(root, "config/monitoring"))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, r := range built.Resources() {
		kinds = append(kinds, r.GetKind()+" "+r.GetNamespace()+"/"+r.GetName())
		if r.GetKind() == "ConfigMap" && !strings.HasPrefix(r.GetDataMap()["fedctl.json"], "{") {
			t.Errorf("no dashboard in %s", r.GetName())
		}
	}
	if got, want := strings.Join(kinds, ", "), "ConfigMap kube-federation-system/fedctl-dashboard, PrometheusRule kube-federation-system/fedctl"; got != want && got != "PrometheusRule kube-federation-system/fedctl, ConfigMap kube-federation-system/fedctl-dashboard" {
		t.Errorf("made %s", got)
	}
}
