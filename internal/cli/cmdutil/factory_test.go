package cmdutil

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

const twoContexts = `apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {server: "https://127.0.0.1:1"}
contexts:
- name: host
  context: {cluster: c}
- name: member-1
  context: {cluster: c}
`

func TestConfigForSaysWhatIsMissing(t *testing.T) {
	for _, test := range []struct{ name, kubeconfig, context, want string }{
		{"no file", "", "", "no kubeconfig with a context was found in"},
		{"no file, but a context", "", "host", "no kubeconfig with a context was found in"},
		{"no current context", twoContexts, "", "(contexts: host, member-1)"},
		{"unknown context", twoContexts, "hsot", `context "hsot" does not exist in the kubeconfig (contexts: host, member-1)`},
		{"known context", twoContexts, "host", ""},
		{"current context", twoContexts + "current-context: member-1\n", "", ""},
		{"not YAML", "{", "host", "reading the kubeconfig"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kubeconfig")
			if test.kubeconfig != "" {
				if err := os.WriteFile(path, []byte(test.kubeconfig), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("KUBECONFIG", path)
			f := NewFactory(genericiooptions.NewTestIOStreamsDiscard())
			config, err := f.ConfigFor(test.context)
			switch {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want == "" && config.Host != "https://127.0.0.1:1":
				t.Errorf("host %q", config.Host)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
