package diff

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/settings"
)

func TestSettingsOfTheController(t *testing.T) {
	env := func(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }
	behind := corev1.EnvVar{Name: "FEDCTL_PROTECTED_KEYS", ValueFrom: &corev1.EnvVarSource{}}
	for name, test := range map[string]struct {
		container corev1.Container
		keys      []string
		adopt     bool
		saysAdopt bool
		elsewhere bool
	}{
		"nothing":        {keys: settings.DefaultProtectedKeys, adopt: true},
		"other settings": {container: corev1.Container{Args: []string{"--kubefed-namespace=$(POD_NAMESPACE)", "--metrics-secure", "--member-qps", "7"}}, keys: settings.DefaultProtectedKeys, adopt: true},
		"flags":          {container: corev1.Container{Args: []string{"--protected-keys=a/,b/", "--adopt-resources=false"}}, keys: []string{"a/", "b/"}, saysAdopt: true},
		"the command":    {container: corev1.Container{Command: []string{"/controller", "--protected-keys", "a/"}}, keys: []string{"a/"}, adopt: true},
		"environment": {container: corev1.Container{Env: []corev1.EnvVar{env("FEDCTL_PROTECTED_KEYS", "a/"), env("FEDCTL_ADOPT_RESOURCES", "false"), env("GOMEMLIMIT", "x")}},
			keys: []string{"a/"}, saysAdopt: true},
		"a flag over the environment": {container: corev1.Container{Args: []string{"--protected-keys=b/"}, Env: []corev1.EnvVar{env("FEDCTL_PROTECTED_KEYS", "a/")}}, keys: []string{"b/"}, adopt: true},
		"a file":                      {container: corev1.Container{Args: []string{"--config=/etc/fedctl.yaml"}}, keys: settings.DefaultProtectedKeys, adopt: true, elsewhere: true},
		"a reference":                 {container: corev1.Container{Env: []corev1.EnvVar{behind}}, keys: settings.DefaultProtectedKeys, adopt: true, elsewhere: true},
		"a map of them":               {container: corev1.Container{EnvFrom: []corev1.EnvFromSource{{}}}, keys: settings.DefaultProtectedKeys, adopt: true, elsewhere: true},
	} {
		got, elsewhere, err := settingsOf([]corev1.Container{test.container})
		if err != nil || !slices.Equal(got.ProtectedKeys, test.keys) || got.AdoptResources != test.adopt || got.saysAdopt != test.saysAdopt || elsewhere != test.elsewhere {
			t.Errorf("%s: got %v, adopt %v (%v), elsewhere %v, %v", name, got.ProtectedKeys, got.AdoptResources, got.saysAdopt, elsewhere, err)
		}
	}
	if _, _, err := settingsOf([]corev1.Container{{Args: []string{"--adopt-resources=perhaps"}}}); err == nil {
		t.Error("a value that is none was taken")
	}
}
