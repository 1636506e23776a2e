package join

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/reach"
)

// ServiceAccountAnnotation of a KubeFedCluster is namespace/name of the account in
// the member, so that unjoin finds it under whatever names it is called.
const ServiceAccountAnnotation = "fedctl.io/service-account"

// hostSide is the host cluster of a join or unjoin.
type hostSide struct {
	side
	namespace string
}

func openHost(config *rest.Config, namespace string) (*hostSide, error) {
	cl, err := client.New(config, client.Options{Scheme: joinScheme()})
	if err != nil {
		return nil, fmt.Errorf("making a client of the host cluster: %w", err)
	}
	return &hostSide{side: side{name: "the host cluster", config: config, client: cl}, namespace: namespace}, nil
}

// explain turns what a host without a control plane answers into what to do.
func (h *hostSide) explain(action string, err error) error {
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("the host cluster at %s has no control plane: run \"fedctl install\" there first", h.config.Host)
	}
	return fmt.Errorf("%s in the host cluster at %s: %w", action, h.config.Host, err)
}

// usable says what is wrong with a host that cannot be one, before anything else is asked.
func (h *hostSide) usable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	err := h.client.Get(ctx, client.ObjectKey{Name: h.namespace}, &corev1.Namespace{})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("the host cluster at %s has no namespace %s: run \"fedctl install\" there first, or set --kubefed-namespace", h.config.Host, h.namespace)
	case err != nil && !apierrors.IsForbidden(err):
		return fmt.Errorf("the host cluster at %s cannot be used: %s", h.config.Host, reach.Describe(err, h.config.Host, firstAnswer))
	}
	return nil
}

// clusterUID identifies the host cluster; empty when the user may not read it.
func (h *hostSide) clusterUID(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	var namespace corev1.Namespace
	err := h.client.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, &namespace)
	if apierrors.IsForbidden(err) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("reading Namespace %s of the host cluster: %w", metav1.NamespaceSystem, err)
	}
	return string(namespace.UID), nil
}

// plan computes the rights from the control plane's scope and types, and more of these.
func (h *hostSide) plan(ctx context.Context, mode RBACMode, more ...fedcorev1beta1.FederatedTypeConfig) (memberRules, error) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	scope, err := h.scope(ctx)
	if err != nil {
		return memberRules{}, err
	}
	if mode == RBACNamespaces && scope == apiextensionsv1.NamespaceScoped {
		return memberRules{}, errOneNamespace
	}
	var types fedcorev1beta1.FederatedTypeConfigList
	if err := h.client.List(ctx, &types, client.InNamespace(h.namespace)); err != nil {
		return memberRules{}, h.explain("listing FederatedTypeConfigs", err)
	}
	return rulesFor(mode, scope, append(types.Items, more...)), nil
}

// scope is that of the KubeFedConfig; without one it is Cluster.
func (h *hostSide) scope(ctx context.Context) (apiextensionsv1.ResourceScope, error) {
	var config fedcorev1beta1.KubeFedConfig
	err := h.client.Get(ctx, client.ObjectKey{Namespace: h.namespace, Name: kubefedconfig.Name}, &config)
	if apierrors.IsNotFound(err) || (err == nil && config.Spec.Scope == "") {
		return apiextensionsv1.ClusterScoped, nil
	} else if err != nil {
		return "", h.explain("reading KubeFedConfig "+h.namespace+"/"+kubefedconfig.Name, err)
	}
	return config.Spec.Scope, nil
}

func (h *hostSide) checkRights(ctx context.Context) error {
	rights := []right{{"get", "", "namespaces", ""}}
	for _, verb := range []string{"get", "create", "patch"} {
		rights = append(rights, right{verb, "", "secrets", h.namespace})
	}
	for _, verb := range []string{"list", "create", "patch"} {
		rights = append(rights, right{verb, fedcorev1beta1.SchemeGroupVersion.Group, "kubefedclusters", h.namespace})
	}
	return h.missing(ctx, rights)
}

// checkName makes sure that no other member is the same cluster, and no other
// cluster has the same name. It returns the KubeFedCluster of that name, if any.
func (h *hostSide) checkName(ctx context.Context, name string, member *side, endpoint string) (*fedcorev1beta1.KubeFedCluster, error) {
	var clusters fedcorev1beta1.KubeFedClusterList
	if err := h.client.List(ctx, &clusters, client.InNamespace(h.namespace)); err != nil {
		return nil, h.explain("listing KubeFedClusters", err)
	}
	var existing *fedcorev1beta1.KubeFedCluster
	for i := range clusters.Items {
		other := &clusters.Items[i]
		same := sameCluster(other, member.uid, endpoint)
		switch {
		case other.Name == name && !same && !reach.SameEndpoint(other.Spec.APIEndpoint, endpoint):
			return nil, fmt.Errorf("the name %s is taken by the cluster at %s: join this one under another name, or run \"fedctl unjoin %s --cluster-context CONTEXT\" first, with the context of that one", name, errtext.Address(other.Spec.APIEndpoint), name)
		case other.Name == name:
			existing = other
		case same:
			return nil, fmt.Errorf("this cluster has already joined as %s: use that name, or run \"fedctl unjoin %s --cluster-context CONTEXT\" first, with the same context", other.Name, other.Name)
		}
	}
	return existing, nil
}

// sameCluster compares identities where both are known, and endpoints otherwise.
func sameCluster(kfc *fedcorev1beta1.KubeFedCluster, uid, endpoint string) bool {
	if known := reach.NotedUID(kfc); known != "" && uid != "" {
		return known == uid
	}
	return reach.SameEndpoint(kfc.Spec.APIEndpoint, endpoint)
}
