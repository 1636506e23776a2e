package cli

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// kubefedctl lists the commands of kubefedctl v0.10.0 with all flags, and their
// shorthands where there are any.
var kubefedctl = map[string]string{
	"join":                       "cluster-context host-cluster-name secret-name error-on-existing",
	"unjoin":                     "cluster-context host-cluster-name force",
	"enable":                     "federated-group version federated-version output,o filename,f",
	"disable":                    "federated-group version delete-crd",
	"federate":                   "namespace,n output,o enable-type,t contents,c filename,f skip-api-resources,s",
	"orphaning-deletion enable":  "namespace,n",
	"orphaning-deletion disable": "namespace,n",
	"orphaning-deletion status":  "namespace,n",
}

// Flags of each of them. Version has none.
const kubefedctlGlobal = "kubeconfig host-cluster-context kubefed-namespace dry-run"

func TestEveryFlagOfKubefedctlIsThere(t *testing.T) {
	root := NewCommand("fedctl", genericiooptions.NewTestIOStreamsDiscard())
	for name, flags := range kubefedctl {
		command, rest, err := root.Find(strings.Fields(name))
		if err != nil || len(rest) > 0 {
			t.Errorf("there is no command %q: %v", name, err)
			continue
		}
		for _, want := range strings.Fields(flags + " " + kubefedctlGlobal + " v,v") {
			flagName, shorthand, _ := strings.Cut(want, ",")
			flag := command.Flag(flagName)
			if flag == nil || flag.Deprecated != "" {
				t.Errorf("%s has no flag --%s", name, flagName)
			} else if flag.Shorthand != shorthand {
				t.Errorf("%s: --%s has the shorthand %q, want %q", name, flagName, flag.Shorthand, shorthand)
			}
		}
	}
	if _, rest, err := root.Find([]string{"version"}); err != nil || len(rest) > 0 {
		t.Errorf("there is no command version: %v", err)
	}
}

// Scripts written for kubefedctl call it like this.
func TestKubefedctlsWaysToWriteFlags(t *testing.T) {
	for _, args := range []string{
		"version --client --v=2",
		"version --client -v 2",
		"version --client --host_cluster_context=x",
		"version --client --logtostderr --alsologtostderr=false --stderrthreshold=2 --vmodule=a=1 --log_dir=/nowhere/at/all",
		"version --client --log_file /nowhere/at/all --skip_headers --one_output --add_dir_header --log_backtrace_at a.go:1",
	} {
		var out, errOut bytes.Buffer
		command := NewCommand("fedctl", genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &errOut})
		command.SetArgs(strings.Fields(args))
		if err := command.Execute(); err != nil || !strings.HasPrefix(out.String(), "fedctl: ") || errOut.Len() > 0 {
			t.Errorf("%s: %v %s %s", args, err, out.String(), errOut.String())
		}
	}
}
