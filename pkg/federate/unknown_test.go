package federate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnknown(t *testing.T) {
	const everywhere = "fields that the type does not have in any cluster are left out: "
	for name, test := range map[string]struct {
		unknown map[string][]string
		want    []string
	}{
		"nothing":      {nil, nil},
		"none has any": {map[string][]string{"a": nil, "b": nil}, nil},
		"all have":     {map[string][]string{"a": {"spec", "x"}, "b": {"spec", "x"}}, []string{everywhere + "spec, x"}},
		"one has":      {map[string][]string{"a": {"x"}, "b": nil}, []string{"fields that the type does not have in a are left out: x"}},
		"one has its own": {map[string][]string{"a": {"=metadata.labels.p/e", "x"}, "b": nil}, []string{
			"fields that the type does not have in a are left out: x", "left as the administrator of a has set it: metadata.labels.p/e",
		}},
		"one has more": {map[string][]string{"a": {"x", "y"}, "b": {"x"}}, []string{everywhere + "x", "fields that the type does not have in a are left out: y"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := DescribeUnknown(test.unknown)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if rest := WithoutLeftOut(strings.Join(append([]string{"another; problem"}, got...), "; ")); rest != "another; problem" {
				t.Errorf("without it: got %q", rest)
			}
			for cluster, fields := range test.unknown {
				if diff := cmp.Diff(fields, ParseUnknown("another problem; "+strings.Join(got, "; "), cluster)); diff != "" {
					t.Errorf("%s, read back (-want +got):\n%s", cluster, diff)
				}
			}
		})
	}
}

func TestUnknownIsBounded(t *testing.T) {
	var fields []string
	for i := range 100 {
		fields = append(fields, fmt.Sprintf("%d; a, b\n%s", i, strings.Repeat("x", 200)))
	}
	got := DescribeUnknown(map[string][]string{"a": fields})
	if len(got) != 1 || len(got[0]) > 3000 || strings.ContainsAny(got[0], ";\n") {
		t.Errorf("got %q", got)
	}
	again := ParseUnknown(got[0], "a")
	if diff := cmp.Diff(got, DescribeUnknown(map[string][]string{"a": again})); diff != "" {
		t.Errorf("it changes when read back (-want +got):\n%s", diff)
	}
}

func TestServedAs(t *testing.T) {
	served := map[string]string{"a": "v1", "b": "v2, x; y"}
	said := DescribeServedAs(served)
	if len(said) != 2 || said[0] != "the version is not served in a: what is sent there is of version v1, with the fields as they are" {
		t.Fatalf("said %q", said)
	}
	message := strings.Join(append([]string{"another problem"}, said...), "; ")
	for cluster, want := range map[string]string{"a": "v1", "b": "v2??x??y", "c": ""} {
		if got := ParseServedAs(message, cluster); got != want {
			t.Errorf("%s, read back: %q", cluster, got)
		}
	}
	if rest := WithoutLeftOut(message); rest != "another problem" {
		t.Errorf("without it: %q", rest)
	}
}
