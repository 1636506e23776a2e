package propagation

import (
	"strings"
	"testing"

	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
)

// A policy that selects nothing any more says so: a merge patch leaves what it does not name.
func TestPolicyStatusPatchNamesWhatIsZero(t *testing.T) {
	patch, err := policyStatusPatch("uid", policyv1alpha1.OverridePolicyStatus{})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"objects":0`, `"selectedObjects":0`, `"clusters":0`, `"observedGeneration":0`, `"uid":"uid"`} {
		if !strings.Contains(string(patch), part) {
			t.Errorf("%s is not in %s", part, patch)
		}
	}
}
