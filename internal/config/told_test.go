package config

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/settings"
)

func TestOfDeployment(t *testing.T) {
	env := func(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }
	behind := corev1.EnvVar{Name: "FEDCTL_PROTECTED_KEYS", ValueFrom: &corev1.EnvVarSource{}}
	for name, test := range map[string]struct {
		container corev1.Container
		kubefed   *fedcorev1beta1.KubeFedConfig
		keys      []string
		notAdopt  bool
		hides     bool
	}{
		"nothing":                                {},
		"other settings":                         {container: corev1.Container{Args: []string{"--kubefed-namespace=$(POD_NAMESPACE)", "--metrics-secure", "--log-level", "7", "--member-qps", "7"}}},
		"flags":                                  {container: corev1.Container{Args: []string{"--protected-keys=a/,b/", "--adopt-resources=false"}}, keys: []string{"a/", "b/"}, notAdopt: true},
		"the command":                            {container: corev1.Container{Command: []string{"/controller", "--protected-keys", "a/"}}, keys: []string{"a/"}},
		"a KubeFedConfig":                        {kubefed: kubeFedConfig(), notAdopt: true},
		"a flag over the KubeFedConfig":          {container: corev1.Container{Args: []string{"--adopt-resources"}}, kubefed: kubeFedConfig()},
		"the environment over the KubeFedConfig": {container: corev1.Container{Env: []corev1.EnvVar{env("FEDCTL_ADOPT_RESOURCES", "true")}}, kubefed: kubeFedConfig()},
		"environment": {container: corev1.Container{Env: []corev1.EnvVar{env("FEDCTL_PROTECTED_KEYS", "a/,b/"), env("FEDCTL_ADOPT_RESOURCES", "false"), env("GOMEMLIMIT", "x")}},
			keys: []string{"a/", "b/"}, notAdopt: true},
		"an empty variable":           {container: corev1.Container{Env: []corev1.EnvVar{env("FEDCTL_PROTECTED_KEYS", "")}}},
		"a flag over the environment": {container: corev1.Container{Args: []string{"--protected-keys=b/"}, Env: []corev1.EnvVar{env("FEDCTL_PROTECTED_KEYS", "a/")}}, keys: []string{"b/"}},
		"a flag over a reference":     {container: corev1.Container{Args: []string{"--protected-keys=b/"}, Env: []corev1.EnvVar{behind}}, keys: []string{"b/"}},
		"a file":                      {container: corev1.Container{Args: []string{"--config=/etc/fedctl.yaml"}}, hides: true},
		"a reference":                 {container: corev1.Container{Env: []corev1.EnvVar{behind}}, hides: true},
		"a reference in a flag":       {container: corev1.Container{Args: []string{"--protected-keys", "$(KEYS)", "--adopt-resources=false"}}, notAdopt: true, hides: true},
		"a reference of a switch":     {container: corev1.Container{Args: []string{"--adopt-resources=$(ADOPT)", "--protected-keys=b/"}}, keys: []string{"b/"}, hides: true},
		"a reference of another":      {container: corev1.Container{Args: []string{"--workers=$(WORKERS)"}}},
		"a map of them":               {container: corev1.Container{EnvFrom: []corev1.EnvFromSource{{}}}, hides: true},
	} {
		test.container.Name = kubefedconfig.ControllerContainer
		beside := corev1.Container{Name: "proxy", Args: []string{"--workers=few", "--protected-keys=of-another-program/"}}
		told, err := OfDeployment([]corev1.Container{beside, test.container}, test.kubefed)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if test.keys == nil {
			test.keys = settings.DefaultProtectedKeys
		}
		got, hides := told.Propagation, told.Hides("protected-keys", "adopt-resources")
		if !slices.Equal(got.ProtectedKeys, test.keys) || got.AdoptResources == test.notAdopt || hides != test.hides {
			t.Errorf("%s: got %v, adopt %v, hides %v", name, got.ProtectedKeys, got.AdoptResources, hides)
		}
	}
	for _, bad := range []corev1.Container{{Args: []string{"--adopt-resources=perhaps"}}, {Env: []corev1.EnvVar{env("FEDCTL_ADOPT_RESOURCES", "perhaps")}}} {
		if _, err := OfDeployment([]corev1.Container{bad}, nil); err == nil {
			t.Errorf("%v was taken", bad)
		}
	}
}

// Of a controller without a Deployment, the KubeFedConfig tells.
func TestOfNoDeployment(t *testing.T) {
	told, err := OfDeployment(nil, kubeFedConfig())
	if err != nil || told.Propagation.AdoptResources || told.Scope != "Namespaced" {
		t.Errorf("%v, %v", told, err)
	}
}
