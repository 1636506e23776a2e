package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// load reads a configuration from flags, a settings file ("" for none) and a KubeFedConfig.
func load(t *testing.T, args []string, file string, kubefed *fedcorev1beta1.KubeFedConfig) (*Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	c := New(flags)
	if file != "" {
		path := filepath.Join(t.TempDir(), "settings.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	if err := c.Load(); err != nil {
		return nil, err
	}
	return c, c.Finish(kubefed)
}

func kubeFedConfig() *fedcorev1beta1.KubeFedConfig {
	return &fedcorev1beta1.KubeFedConfig{Spec: fedcorev1beta1.KubeFedConfigSpec{
		Scope:              "Namespaced",
		ClusterHealthCheck: &fedcorev1beta1.ClusterHealthCheckConfig{Period: &metav1.Duration{Duration: 4 * time.Second}, FailureThreshold: ptr.To[int64](7)},
		LeaderElect:        &fedcorev1beta1.LeaderElectConfig{LeaseDuration: &metav1.Duration{Duration: 40 * time.Second}},
		SyncController:     &fedcorev1beta1.SyncControllerConfig{AdoptResources: ptr.To(fedcorev1beta1.AdoptResourcesDisabled)},
		FeatureGates:       []fedcorev1beta1.FeatureGatesConfig{{Name: kubefedconfig.SchedulerPreferences, Configuration: fedcorev1beta1.ConfigurationDisabled}},
	}}
}

func TestPrecedence(t *testing.T) {
	const file = "cluster-health-check-period: 3s\n"
	steps := []struct {
		name    string
		args    []string
		env     string
		file    string
		kubefed *fedcorev1beta1.KubeFedConfig
		want    time.Duration
	}{
		{name: "default", want: 10 * time.Second},
		{name: "KubeFedConfig beats the default", kubefed: kubeFedConfig(), want: 4 * time.Second},
		{name: "the file beats the KubeFedConfig", kubefed: kubeFedConfig(), file: file, want: 3 * time.Second},
		{name: "the environment beats the file", kubefed: kubeFedConfig(), file: file, env: "2s", want: 2 * time.Second},
		{name: "a flag beats all", kubefed: kubeFedConfig(), file: file, env: "2s", args: []string{"--cluster-health-check-period=1s"}, want: time.Second},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			if step.env != "" {
				t.Setenv("FEDCTL_CLUSTER_HEALTH_CHECK_PERIOD", step.env)
			}
			c, err := load(t, step.args, step.file, step.kubefed)
			if err != nil {
				t.Fatal(err)
			}
			if c.Members.HealthCheckPeriod != step.want {
				t.Errorf("period %s, want %s", c.Members.HealthCheckPeriod, step.want)
			}
		})
	}
}

func TestKubeFedConfigIsHonoured(t *testing.T) {
	c, err := load(t, nil, "", kubeFedConfig())
	if err != nil {
		t.Fatal(err)
	}
	if c.TargetNamespace() != "kube-federation-system" || c.Members.FailureThreshold != 7 ||
		c.Election.LeaseDuration != 40*time.Second || c.Propagation.AdoptResources || c.Replicas.SchedulerPreferences {
		t.Errorf("%+v", c)
	}
	if c, err = load(t, nil, "", nil); err != nil || !c.Propagation.AdoptResources || c.Types.CollectStatus || c.TargetNamespace() != "" {
		t.Errorf("without a KubeFedConfig: %+v, %v", c, err)
	}
}

func TestFeatureGates(t *testing.T) {
	gates := func(configuration fedcorev1beta1.ConfigurationMode, names ...string) *fedcorev1beta1.KubeFedConfig {
		config := &fedcorev1beta1.KubeFedConfig{}
		for _, name := range names {
			config.Spec.FeatureGates = append(config.Spec.FeatureGates, fedcorev1beta1.FeatureGatesConfig{Name: name, Configuration: configuration})
		}
		return config
	}
	all := []string{"PushReconciler", "SchedulerPreferences", kubefedconfig.RawResourceStatusCollection}
	for _, test := range []struct {
		name                    string
		kubefed                 *fedcorev1beta1.KubeFedConfig
		args                    []string
		push, schedule, collect bool
	}{
		{"all on", gates(fedcorev1beta1.ConfigurationEnabled, all...), nil, true, true, true},
		{"all off", gates(fedcorev1beta1.ConfigurationDisabled, all...), nil, false, false, false},
		{"one off", gates(fedcorev1beta1.ConfigurationDisabled, "SchedulerPreferences"), nil, true, false, false},
		{"an unknown one changes nothing", gates(fedcorev1beta1.ConfigurationDisabled, "FederatedIngress"), nil, true, true, false},
		{"a flag beats them", gates(fedcorev1beta1.ConfigurationDisabled, all...), []string{"--push-reconciler"}, true, false, false},
	} {
		c, err := load(t, test.args, "", test.kubefed)
		if err != nil {
			t.Fatal(err)
		}
		if c.Types.PushReconciler != test.push || c.Replicas.SchedulerPreferences != test.schedule || c.Types.CollectStatus != test.collect {
			t.Errorf("%s: push %t, schedule %t, collect %t", test.name, c.Types.PushReconciler, c.Replicas.SchedulerPreferences, c.Types.CollectStatus)
		}
	}
}

func TestListsAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		args      []string
		file, env string
		want      []string
	}{
		"default":         {},
		"a flag":          {args: []string{"--backup-filesystem-roots=/a,/b"}, want: []string{"/a", "/b"}},
		"flags":           {args: []string{"--backup-filesystem-roots=/a", "--backup-filesystem-roots=/b"}, want: []string{"/a", "/b"}},
		"the file":        {file: "backup-filesystem-roots: [/a, /b]\n", want: []string{"/a", "/b"}},
		"the environment": {env: "/a,/b", want: []string{"/a", "/b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if test.env != "" {
				t.Setenv("FEDCTL_BACKUP_FILESYSTEM_ROOTS", test.env)
			}
			c, err := load(t, test.args, test.file, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(c.Backups.FilesystemRoots, test.want) {
				t.Errorf("got %q, want %q", c.Backups.FilesystemRoots, test.want)
			}
		})
	}
}

func TestBadConfigurationIsNamed(t *testing.T) {
	bad := kubeFedConfig()
	bad.Spec.SyncController.AdoptResources = ptr.To[fedcorev1beta1.ResourceAdoption]("Sometimes")
	for _, test := range []struct {
		name    string
		args    []string
		file    string
		kubefed *fedcorev1beta1.KubeFedConfig
		want    string
	}{
		{"scope", []string{"--scope=Galaxy"}, "", nil, `scope is "Galaxy"`},
		{"log format", []string{"--log-format=xml"}, "", nil, `log-format is "xml"`},
		{"records", []string{"--version-records=Nowhere"}, "", nil, `version-records is "Nowhere"`},
		{"workers", []string{"--workers-per-cluster=0"}, "", nil, "workers-per-cluster is 0"},
		{"election", []string{"--leader-elect-renew-deadline=1m"}, "", nil, "leader-elect-renew-deadline (1m0s) must be less"},
		{"directories", []string{"--backup-filesystem-roots=/a,b"}, "", nil, `backup-filesystem-roots has "b"`},
		{"several at once", []string{"--scope=x", "--settle-timeout=0"}, "", nil, "settle-timeout is 0s"},
		{"unknown setting", nil, "workerz: 3\n", nil, `there is no setting "workerz"`},
		{"not a duration", nil, "settle-timeout: soon\n", nil, "settle-timeout"},
		{"not YAML", nil, "a: [\n", nil, "settings.yaml"},
		{"missing file", []string{"--config=/does/not/exist"}, "", nil, "does not exist"},
		{"adoption", nil, "", bad, "spec.syncController.adoptResources"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.args, test.file, test.kubefed)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestReadKubeFedConfig(t *testing.T) {
	for _, test := range []struct{ name, content, want string }{
		{"good", "apiVersion: core.kubefed.io/v1beta1\nkind: KubeFedConfig\nspec: {scope: Cluster}\n", ""},
		{"another kind", "kind: ConfigMap\n", `kind is "ConfigMap"`},
		{"unknown field", "kind: KubeFedConfig\nspec: {scoop: Cluster}\n", "scoop"},
	} {
		path := filepath.Join(t.TempDir(), "kubefed.yaml")
		if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
			t.Fatal(err)
		}
		config, err := ReadKubeFedConfig(path)
		switch {
		case test.want == "" && (err != nil || config.Spec.Scope != "Cluster"):
			t.Errorf("%s: %v, %v", test.name, config, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: error %v, want one with %q", test.name, err, test.want)
		}
	}
	if _, err := ReadKubeFedConfig("/does/not/exist"); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestValuesAreComplete(t *testing.T) {
	flags := pflag.NewFlagSet("controller", pflag.ContinueOnError)
	c := New(flags)
	if err := flags.Parse([]string{"--kubefed-config=https://me:secret@host:9443", "--backup-filesystem-roots=/a,/b"}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FEDCTL_RETRY_MAX", "7m")
	if err := c.Load(); err != nil {
		t.Fatal(err)
	}
	values := c.Values()
	for name, want := range map[string]string{
		"retry-max": "7m0s", "workers": "256", "backup-filesystem-roots": "[/a,/b]", "kubefed-config": "https://me:xxxxx@host:9443",
	} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
	flags.VisitAll(func(flag *pflag.Flag) {
		if _, found := values[flag.Name]; !found {
			t.Errorf("%s is missing", flag.Name)
		}
	})
}
