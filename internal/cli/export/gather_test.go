package export

import (
	"context"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// empty is a host that has nothing.
type empty struct{ client.Client }

func (empty) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

func TestNothingIsNoExport(t *testing.T) {
	g := &gathering{factory: &cmdutil.Factory{KubeFedNamespace: "elsewhere"}, host: empty{}}
	if err := g.readTypes(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no FederatedTypeConfig in namespace elsewhere, and so nothing to export") {
		t.Errorf("%v", err)
	}
}
