package kubefedconfig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, manifest string) fedcorev1beta1.KubeFedConfigSpec {
	t.Helper()
	var spec fedcorev1beta1.KubeFedConfigSpec
	if err := yaml.UnmarshalStrict([]byte(manifest), &spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// The .out.yaml files are what KubeFed v0.10.0's own SetDefaultKubeFedConfig
// makes of the .in.yaml files.
func TestDefaultDoesWhatKubeFedDoes(t *testing.T) {
	files, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		in, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(file, ".in.yaml") + ".out.yaml")
		if err != nil {
			t.Fatal(err)
		}
		config := &fedcorev1beta1.KubeFedConfig{}
		if err := yaml.UnmarshalStrict(in, config); err != nil {
			t.Fatal(err)
		}
		for range 20 { // gates come from a map, whose order differs each time
			spec := *config.Spec.DeepCopy()
			Default(&spec)
			got, err := yaml.Marshal(spec)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Fatalf("%s (-KubeFed +got)\n%s", file, diff)
			}
			again := *spec.DeepCopy()
			if Default(&again); !cmp.Equal(spec, again) {
				t.Fatalf("%s: defaulting twice changes it: %s", file, cmp.Diff(spec, again))
			}
		}
	}
}

func TestWithoutEffect(t *testing.T) {
	var defaulted fedcorev1beta1.KubeFedConfigSpec
	Default(&defaulted)
	for _, note := range WithoutEffect(defaulted) {
		if note.Chosen {
			t.Errorf("nobody has chosen %s", note.Field)
		}
	}
	for _, test := range []struct{ spec, want string }{
		{`{}`, ""},
		{`{controllerDuration: {availableDelay: 20s, unavailableDelay: 61s, cacheSyncTimeout: 1m}}`,
			"spec.controllerDuration.unavailableDelay spec.controllerDuration.cacheSyncTimeout"},
		{`{leaderElect: {resourceLock: configmaps, leaseDuration: 3s}}`, ""},
		{`{leaderElect: {resourceLock: leases}}`, ""},
		{`{leaderElect: {resourceLock: endpoints}}`, "spec.leaderElect.resourceLock"},
		{`{syncController: {maxConcurrentReconciles: 2}, statusController: {maxConcurrentReconciles: 3}}`,
			"spec.syncController.maxConcurrentReconciles spec.statusController.maxConcurrentReconciles"},
		{`{featureGates: [{name: PushReconciler, configuration: Disabled}, {name: FederatedIngress, configuration: Enabled}]}`, "spec.featureGates[1]"},
	} {
		var fields []string
		for _, note := range WithoutEffect(parse(t, test.spec)) {
			if note.Chosen {
				fields = append(fields, note.Field)
			}
		}
		if got := strings.Join(fields, " "); got != test.want {
			t.Errorf("%s: %q, want %q", test.spec, got, test.want)
		}
	}
	if notes := WithoutEffect(parse(t, `{leaderElect: {resourceLock: configmaps}}`)); len(notes) != 1 || notes[0].Chosen {
		t.Errorf("a lock that is not used is told of, chosen or not: %v", notes)
	}
}

func TestUnknownGatesAreExplained(t *testing.T) {
	for name, want := range map[string]string{
		"FederatedIngress":             "KubeFed has removed the gate FederatedIngress",
		"CrossClusterServiceDiscovery": "KubeFed has removed",
		"Typo":                         `there is no gate "Typo"; the gates are PushReconciler, RawResourceStatusCollection, SchedulerPreferences`,
	} {
		spec := fedcorev1beta1.KubeFedConfigSpec{FeatureGates: []fedcorev1beta1.FeatureGatesConfig{{Name: name}}}
		if notes := WithoutEffect(spec); len(notes) != 1 || !strings.Contains(notes[0].String(), want) {
			t.Errorf("%s: %v, want %q", name, notes, want)
		}
	}
}

func TestRestartFor(t *testing.T) {
	for _, test := range []struct{ before, after, want string }{
		{`{scope: Cluster}`, `{scope: Cluster}`, ""},
		{`{}`, `{leaderElect: {leaseDuration: 15s}, featureGates: [{name: SchedulerPreferences, configuration: Enabled}]}`, ""},
		{`{}`, `{controllerDuration: {availableDelay: 1s}, leaderElect: {resourceLock: endpoints}}`, ""},
		{`{}`, `{leaderElect: {leaseDuration: 16s, renewDeadline: 11s, retryPeriod: 1s}}`,
			"spec.leaderElect.leaseDuration spec.leaderElect.renewDeadline spec.leaderElect.retryPeriod"},
		{`{}`, `{featureGates: [{name: SchedulerPreferences, configuration: Disabled}]}`, "spec.featureGates SchedulerPreferences"},
		{`{}`, `{syncController: {adoptResources: Disabled}, clusterHealthCheck: {period: 1s}}`,
			"spec.clusterHealthCheck spec.syncController.adoptResources"},
		{`{scope: Cluster}`, `{scope: Namespaced}`, "spec.scope"},
	} {
		if got := strings.Join(RestartFor(parse(t, test.before), parse(t, test.after)), " "); got != test.want {
			t.Errorf("%s to %s: %q, want %q", test.before, test.after, got, test.want)
		}
	}
}
