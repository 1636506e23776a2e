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

func TestContextOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- {name: a, cluster: {server: "https://a:6443"}}
- {name: b, cluster: {server: "https://b:6443/"}}
contexts:
- {name: member-1, context: {cluster: a}}
- {name: admin@a, context: {cluster: a}}
- {name: admin@b, context: {cluster: b}}
- {name: broken, context: {cluster: missing}}
`
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	f := NewFactory(genericiooptions.NewTestIOStreamsDiscard())
	f.Kubeconfig = path
	for _, test := range []struct{ member, endpoint, context, unjoin string }{
		{"member-1", "https://a:6443", "member-1", "fedctl unjoin member-1"},
		{"other", "https://a:6443", "admin@a", "fedctl unjoin other --cluster-context admin@a"},
		{"member-2", "https://b:6443", "admin@b", "fedctl unjoin member-2 --cluster-context admin@b"},
		{"member-1", "https://b:6443", "admin@b", "fedctl unjoin member-1 --cluster-context admin@b"},
		{"member-1", "https://elsewhere", "CONTEXT", "fedctl unjoin member-1 --cluster-context CONTEXT"},
		{"broken", "", "CONTEXT", "fedctl unjoin broken --cluster-context CONTEXT"},
	} {
		if got := f.ContextOf(test.member, test.endpoint); got != test.context {
			t.Errorf("%s at %s: %q, want %q", test.member, test.endpoint, got, test.context)
		}
		if got, want := f.UnjoinCommand(test.member, test.endpoint), test.unjoin+" --kubeconfig "+path; got != want {
			t.Errorf("%s at %s: %q, want %q", test.member, test.endpoint, got, want)
		}
	}
	f.Kubeconfig = filepath.Join(t.TempDir(), "none")
	if got := f.ContextOf("member-1", "https://a:6443"); got != "CONTEXT" {
		t.Errorf("without a kubeconfig: %q", got)
	}
}

func TestCommandsNameTheHost(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	for _, test := range []struct{ kubeconfig, context, namespace, join, kubectl string }{
		{"", "", DefaultKubeFedNamespace, "", "kubectl -n kube-federation-system"},
		{"", "new", DefaultKubeFedNamespace, " --host-cluster-context new", "kubectl --context new -n kube-federation-system"},
		{"/none", "new", "team-a", " --kubeconfig /none --host-cluster-context new --kubefed-namespace team-a", "kubectl --kubeconfig /none --context new -n team-a"},
	} {
		f := NewFactory(genericiooptions.NewTestIOStreamsDiscard())
		f.Kubeconfig, f.HostClusterContext, f.KubeFedNamespace = test.kubeconfig, test.context, test.namespace
		if got, want := f.JoinCommand("member-1", ""), "fedctl join member-1 --cluster-context CONTEXT"+test.join; got != want {
			t.Errorf("join: %q, want %q", got, want)
		}
		if got := f.Kubectl(); got != test.kubectl {
			t.Errorf("kubectl: %q, want %q", got, test.kubectl)
		}
	}
}

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
