package federate

import (
	"net/url"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestOwnership(t *testing.T) {
	secret, deployment := schema.GroupKind{Kind: "Secret"}, schema.GroupKind{Group: "apps", Kind: "Deployment"}
	for _, test := range []struct {
		of               schema.GroupKind
		ofType, ofObject string
		want             Ownership
		fault            string
	}{
		{secret, "", "", Exact, ""},
		{deployment, "", "", Shared, ""},
		{schema.GroupKind{Group: "example.com", Kind: "Secret"}, "", "", Shared, ""},
		{secret, "Shared", "", Shared, ""},
		{deployment, "Exact", "", Exact, ""},
		{deployment, "Exact", "Shared", Shared, ""},
		{secret, "Shared", "Exact", Exact, ""},
		{secret, "", "shared", Shared, `metadata.annotations[fedctl.io/ownership]: must be Exact or Shared, is "shared": what others add in the members stays`},
		{secret, "exact", "", Shared, `of the FederatedTypeConfig metadata.annotations[fedctl.io/ownership]: must be Exact or Shared, is "exact": what others add in the members stays`},
		{secret, "exact", "Exact", Exact, ""},
	} {
		got, fault := OwnershipOf(test.of, test.ofType, test.ofObject)
		if got != test.want || fault != test.fault {
			t.Errorf("%v: got %s, %q", test, got, fault)
		}
	}
}

func TestKnownWritersAreSound(t *testing.T) {
	for _, known := range KnownWriters() {
		if source, err := url.Parse(known.Source); err != nil || source.Host == "" || known.Who == "" || len(known.Kinds) == 0 || len(known.Field) == 0 {
			t.Errorf("%+v", known)
		}
	}
	for _, kind := range ExactKinds() {
		if kind.Why == "" {
			t.Errorf("%s: no reason", kind.GroupKind)
		}
	}
}
