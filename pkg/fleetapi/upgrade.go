package fleetapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

// upgrades are the protocols of exec, attach and port-forward. Others are refused: h2c
// would be a way to send further requests over the connection, which nobody looks at.
var upgrades = []string{"websocket", "spdy/3.1"}

// mayUpgrade tells whether a request asks for another protocol. A command is run, and a
// port opened, by a GET where it is done by a WebSocket: so that the right to look at a
// member is not that to do something in it, an upgrade takes the right to create as well,
// whatever its method.
func (p *passage) mayUpgrade(r *http.Request) (bool, error) {
	if !httpguts.HeaderValuesContainsToken(r.Header["Connection"], "Upgrade") && len(r.Header["Upgrade"]) == 0 {
		return false, nil
	}
	if asked := r.Header["Upgrade"]; len(asked) != 1 || !slices.Contains(upgrades, strings.ToLower(asked[0])) {
		return false, apierrors.NewBadRequest(fmt.Sprintf("the connection can be upgraded to one of %s, not to %q", strings.Join(upgrades, ", "), asked))
	}
	ctx := r.Context()
	u, _ := request.UserFrom(ctx)
	decision, reason, err := p.authorizer.Authorize(ctx, authorizer.AttributesRecord{
		User: u, Verb: "create", Name: p.cluster, ResourceRequest: true, Path: r.URL.Path,
		APIGroup: fleetv1alpha1.GroupVersion.Group, APIVersion: fleetv1alpha1.GroupVersion.Version,
		Resource: fleetv1alpha1.ClustersResource, Subresource: fleetv1alpha1.ProxySubresource,
	})
	if decision == authorizer.DecisionAllow {
		return true, nil
	}
	if err != nil {
		return false, apierrors.NewInternalError(fmt.Errorf("asking the host's API server whether %q may open a stream: %w", u.GetName(), err))
	}
	why := fmt.Errorf("%q may not create clusters/proxy, which a stream in both directions takes (exec, attach, port-forward) %s", u.GetName(), reason)
	return false, apierrors.NewForbidden(clustersResource, p.cluster, why)
}
