package cases

import (
	"os"
	"strings"
	"testing"
)

const suiteDir = ".."

func TestFilesOfTheSuiteAreWell(t *testing.T) {
	suite, err := Read(os.DirFS(suiteDir))
	if err != nil {
		t.Fatal(err)
	}
	if len(suite.Cases) < 120 {
		t.Errorf("there are %d cases: at least 120 are to be", len(suite.Cases))
	}
	about := map[string]string{}
	for _, c := range suite.Cases {
		if about[c.About] != "" {
			t.Errorf("%s and %s are both about: %s", about[c.About], c.Name, c.About)
		}
		about[c.About] = c.Name
	}
}

func TestParse(t *testing.T) {
	c, err := Parse("x", []byte(`
about: something
group: Drift
existing: [{apiVersion: v1, kind: ConfigMap, metadata: {name: other}}]
steps:
- apply:
  - {kind: FederatedClusterRole, metadata: {name: "$(name)"}, spec: {}}
  - {kind: FederatedSecret, metadata: {name: it}, spec: {}}
- in: member-1
  delete: [Secret/it]
`))
	if err != nil {
		t.Fatal(err)
	}
	hosted, spread := names(c.Hosted()), names(c.Spread())
	if hosted != "FederatedNamespace/case-x FederatedClusterRole/case-x FederatedSecret/it" {
		t.Errorf("in the host: %s", hosted)
	}
	if spread != "Namespace/case-x ConfigMap/other ClusterRole/case-x Secret/it" {
		t.Errorf("in the members: %s", spread)
	}
	role, secret := c.Steps[0].Apply[0], c.Steps[0].Apply[1]
	if _, has := role["metadata"].(map[string]any)["namespace"]; has || role["apiVersion"] != "types.kubefed.io/v1beta1" {
		t.Errorf("the FederatedClusterRole is %v", role)
	}
	if secret["metadata"].(map[string]any)["namespace"] != "case-x" {
		t.Errorf("the FederatedSecret is %v", secret)
	}
}

func TestParseRefuses(t *testing.T) {
	const head = "about: something\ngroup: Drift\n"
	for content, want := range map[string]string{
		head: "no steps",
		"about: something\ngroup: Nothing\nsteps: [{delete: [ConfigMap/it]}]": "not one of",
		"group: Drift\nsteps: [{delete: [ConfigMap/it]}]":                     "about is missing",
		head + "steps: [{}]":                                    "nothing is done",
		head + "steps: [{delete: [Nothing/it]}]":                "not KIND/NAME",
		head + "steps: [{in: member-9, delete: [Secret/it]}]":   "in is",
		head + "steps: [{deletes: [Secret/it]}]":                "unknown field",
		head + "steps: [{apply: [{kind: FederatedConfigMap}]}]": "not KIND/NAME",
	} {
		if _, err := Parse("x", []byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, and not %s", content, err, want)
		}
	}
}

func names(refs []Ref) string {
	var all []string
	for _, r := range refs {
		all = append(all, r.String())
	}
	return strings.Join(all, " ")
}
