package typeconfig

import (
	"context"
	"fmt"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// ControllerServiceAccount is the account that the controller runs as, in the
// namespace of the control plane.
const ControllerServiceAccount = "fedctl-controller"

// rights are what lets the controller work on federated types of a group that it
// is not installed with the rights to. The default group needs none.
func (e *Enablement) rights() []*unstructured.Unstructured {
	group := e.TypeConfig.Spec.FederatedType.Group
	if group == DefaultFederatedGroup {
		return nil
	}
	const api = "rbac.authorization.k8s.io"
	name := ControllerServiceAccount + ":" + group
	role := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": api + "/v1",
		"kind":       "ClusterRole",
		"metadata":   map[string]any{"name": name},
		"rules": []any{map[string]any{
			"apiGroups": []any{group},
			"resources": []any{"*"},
			"verbs":     []any{"get", "list", "watch", "patch"},
		}},
	}}
	// Each control plane in the cluster has its own binding.
	bindingName := kubefedconfig.ClusterWideName(name, e.TypeConfig.Namespace)
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": api + "/v1",
		"kind":       "ClusterRoleBinding",
		"metadata":   map[string]any{"name": bindingName},
		"roleRef":    map[string]any{"apiGroup": api, "kind": "ClusterRole", "name": name},
		"subjects": []any{map[string]any{
			"kind": "ServiceAccount", "name": ControllerServiceAccount, "namespace": e.TypeConfig.Namespace,
		}},
	}}
	return []*unstructured.Unstructured{role, binding}
}

// forbidden is the reason of events about rights that the controller lacks.
const forbidden = "FederatedTypeForbidden"

// lookForRights is how long after it was found to lack rights the controller asks again.
const lookForRights = 5 * time.Second

// allowed says which rights to a federated type the controller lacks, if any: those
// to types of other groups than the default one are granted by "fedctl enable", but
// KubeFed's own client does not do that, and a manifest may come without them.
func (r *reconciler) allowed(ctx context.Context, t Type) (*pause, error) {
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
func (r *reconciler) howToGrant(t Type) string {
	group, version := t.Federated.GVR.Group, t.Federated.GVR.Version
	if group == DefaultFederatedGroup {
		return "fedctl install brings back the ClusterRole " + ControllerServiceAccount
	}
	command := "fedctl enable " + t.Name + " --federated-group " + group
	if version != DefaultFederatedVersion {
		command += " --federated-version " + version
	}
	return fmt.Sprintf("%s grants it to the service account %s/%s", command, r.Namespace, ControllerServiceAccount)
}
