package controller

import (
	"context"
	"fmt"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// forbidden is the reason of events about rights that the controller lacks.
const forbidden = "FederatedTypeForbidden"

// lookForRights is how long after it was found to lack rights the controller asks again.
const lookForRights = 5 * time.Second

// allowed says which rights to a federated type the controller lacks, if any: those
// to types of other groups than the default one are granted by "fedctl enable", but
// KubeFed's own client does not do that, and a manifest may come without them.
func (r *reconciler) allowed(ctx context.Context, t typeconfig.Type) (*pause, error) {
	var missing []string
	for _, right := range []struct{ verb, subresource string }{{"list", ""}, {"watch", ""}, {"patch", ""}, {"patch", "status"}} {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: right.verb, Group: t.Federated.GVR.Group, Version: t.Federated.GVR.Version, Resource: t.Federated.GVR.Resource, Subresource: right.subresource,
			},
		}}
		if r.LimitedScope {
			review.Spec.ResourceAttributes.Namespace = r.Namespace
		}
		if err := r.client.Create(ctx, review); apierrors.IsForbidden(err) {
			return nil, nil //nolint:nilnil // that cannot be found out; the requests will tell
		} else if err != nil {
			return nil, fmt.Errorf("asking for the rights to %s: %w", t.CRDName(), err)
		}
		if !review.Status.Allowed {
			missing = append(missing, strings.TrimSuffix(right.verb+" "+t.CRDName()+"/"+right.subresource, "/"))
		}
	}
	if len(missing) == 0 {
		return nil, nil //nolint:nilnil // nothing stands in the way
	}
	return &pause{Warn: true, Powerless: true, Reason: forbidden, Message: fmt.Sprintf(
		"the controller may not %s in the host cluster; propagation starts when it may: %s", strings.Join(missing, ", "), r.howToGrant(t))}, nil
}

// howToGrant names the command that grants the rights to a federated type.
func (r *reconciler) howToGrant(t typeconfig.Type) string {
	group, version := t.Federated.GVR.Group, t.Federated.GVR.Version
	if group == typeconfig.DefaultFederatedGroup {
		return "fedctl install brings back the ClusterRole " + kubefedconfig.Controller
	}
	command := "fedctl enable " + t.Name + " --federated-group " + group
	if version != typeconfig.DefaultFederatedVersion {
		command += " --federated-version " + version
	}
	return fmt.Sprintf("%s grants it to the service account %s/%s", command, r.Namespace, kubefedconfig.Controller)
}
