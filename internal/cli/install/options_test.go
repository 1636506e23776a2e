package install

import (
	"strings"
	"testing"

	"github.com/fedctl/fedctl/internal/manifests"
)

func TestMemberOptions(t *testing.T) {
	for _, test := range []struct {
		options manifests.MemberOptions
		members []string
		want    string
	}{
		{manifests.MemberOptions{Rights: "all"}, []string{"a"}, "--backup-rights takes"},
		{manifests.MemberOptions{Rights: manifests.RightsSave}, nil, "--member CONTEXT"},
		{manifests.MemberOptions{Executor: true}, nil, "--member CONTEXT"},
		{manifests.MemberOptions{Executor: true, Rights: manifests.RightsNone}, []string{"a"}, "without rights"},
	} {
		if err := completeMember(&test.options, test.members); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test.options, err)
		}
	}
	options := manifests.MemberOptions{Executor: true}
	if err := completeMember(&options, []string{"a"}); err != nil || options.Rights != manifests.RightsSave {
		t.Errorf("%+v, %v", options, err)
	}
}
