package join

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

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

// plan computes the rights from the control plane's scope and types.
func (h *hostSide) plan(ctx context.Context, mode RBACMode) (memberRules, error) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	err := h.client.Get(ctx, client.ObjectKey{Name: h.namespace}, &corev1.Namespace{})
	switch {
	case apierrors.IsNotFound(err):
		return memberRules{}, fmt.Errorf("the host cluster at %s has no namespace %s: run \"fedctl install\" there first, or set --kubefed-namespace", h.config.Host, h.namespace)
	case err != nil && !apierrors.IsForbidden(err):
		return memberRules{}, fmt.Errorf("the host cluster at %s cannot be used: %s", h.config.Host, reach.Describe(err, h.config.Host, firstAnswer))
	}
	scope, err := h.scope(ctx)
	if err != nil {
		return memberRules{}, err
	}
	var types fedcorev1beta1.FederatedTypeConfigList
	if err := h.client.List(ctx, &types, client.InNamespace(h.namespace)); err != nil {
		return memberRules{}, h.explain("listing FederatedTypeConfigs", err)
	}
	return rulesFor(mode, scope, types.Items), nil
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
	for _, verb := range []string{"get", "create", "update"} {
		rights = append(rights, right{verb, "", "secrets", h.namespace})
	}
	for _, verb := range []string{"list", "create", "update"} {
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
			return nil, fmt.Errorf("the name %s is taken by the cluster at %s: join this one under another name, or run \"fedctl unjoin %s --cluster-context CONTEXT\" first, with the context of that one", name, other.Spec.APIEndpoint, name)
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

// registration is what the host is told of a member.
type registration struct {
	options     Options
	existing    *fedcorev1beta1.KubeFedCluster
	member      *side
	credentials credentials
	account     string
}

func (r registration) secretName() string {
	switch {
	case r.options.SecretName != "":
		return r.options.SecretName
	case r.existing != nil && r.existing.Spec.SecretRef.Name != "":
		return r.existing.Spec.SecretRef.Name
	default:
		return hostSecretName(r.options.ClusterName)
	}
}

// register writes Secret and KubeFedCluster. The Secret comes first, so that the
// controller finds both.
func (h *hostSide) register(ctx context.Context, r registration) error {
	spec, err := r.spec(ctx)
	if err != nil {
		return err
	}
	s := steps{client: h.client, where: h.name, dryRun: r.options.DryRun, say: r.options.Say}
	if err := h.storeSecret(ctx, s, r); err != nil {
		return err
	}
	return h.storeCluster(ctx, s, r, spec)
}

func (h *hostSide) storeSecret(ctx context.Context, s steps, r registration) error {
	desired := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: h.namespace, Name: r.secretName(), Labels: map[string]string{reach.ClusterLabel: r.options.ClusterName},
		},
		Data: map[string][]byte{reach.TokenKey: []byte(r.credentials.token)},
	}
	if len(r.credentials.ca) > 0 {
		desired.Data[reach.CAKey] = r.credentials.ca
	}
	var existing corev1.Secret
	err := h.client.Get(ctx, client.ObjectKeyFromObject(desired), &existing)
	if apierrors.IsNotFound(err) {
		return s.create(ctx, desired)
	} else if err != nil {
		return s.fail("get", desired, err)
	}
	used := r.existing != nil && r.existing.Spec.SecretRef.Name == existing.Name
	if !used && existing.Labels[reach.ClusterLabel] != r.options.ClusterName {
		return fmt.Errorf("%s in the host cluster is not that of cluster %s: choose another name with --secret-name", describeObject(desired), r.options.ClusterName)
	}
	if r.options.ErrorOnExisting {
		return fmt.Errorf("%s already exists in the host cluster; leave out --error-on-existing to update it", describeObject(desired))
	}
	if !r.options.DryRun && apiequality.Semantic.DeepEqual(existing.Data, desired.Data) {
		s.say(fmt.Sprintf("unchanged %s in %s", describeObject(desired), s.where))
		return nil
	}
	return h.update(ctx, s, &existing, desired, func() { existing.Data = desired.Data })
}

func (h *hostSide) storeCluster(ctx context.Context, s steps, r registration, spec fedcorev1beta1.KubeFedClusterSpec) error {
	desired := &fedcorev1beta1.KubeFedCluster{
		TypeMeta:   metav1.TypeMeta{APIVersion: fedcorev1beta1.SchemeGroupVersion.String(), Kind: "KubeFedCluster"},
		ObjectMeta: metav1.ObjectMeta{Namespace: h.namespace, Name: r.options.ClusterName, Annotations: r.annotations()},
		Spec:       spec,
	}
	if r.existing == nil {
		if err := s.create(ctx, desired); err != nil {
			return err
		}
		r.options.Joined(desired)
		return nil
	}
	existing := r.existing.DeepCopy()
	annotations := maps.Clone(existing.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, desired.Annotations)
	if apiequality.Semantic.DeepEqual(existing.Spec, spec) && maps.Equal(existing.Annotations, annotations) {
		s.say(fmt.Sprintf("unchanged %s in %s", describeObject(desired), s.where))
	} else if err := h.update(ctx, s, existing, desired, func() { existing.Spec, existing.Annotations = spec, annotations }); err != nil {
		return err
	}
	existing.TypeMeta = desired.TypeMeta // which reading leaves out
	r.options.Joined(existing)
	return nil
}

// update patches only what change changes: the controller writes these objects
// as well.
func (h *hostSide) update(ctx context.Context, s steps, existing, desired client.Object, change func()) error {
	before, ok := existing.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("unexpected type %T", existing)
	}
	change()
	if !s.dryRun {
		if err := h.client.Patch(ctx, existing, client.MergeFrom(before)); err != nil {
			return s.fail("update", desired, err)
		}
	}
	s.did("updated", "update", desired)
	return nil
}

func (r registration) annotations() map[string]string {
	annotations := map[string]string{ServiceAccountAnnotation: r.account}
	if r.member.uid != "" {
		annotations[reach.ClusterUIDAnnotation] = r.member.uid
	}
	return annotations
}

// spec says how the member is reached, and proves it where that can be done from
// here: with the new token, over the address in the kubeconfig.
func (r registration) spec(ctx context.Context) (fedcorev1beta1.KubeFedClusterSpec, error) {
	config := r.member.config
	proxy, err := proxyURL(config)
	if err != nil {
		return fedcorev1beta1.KubeFedClusterSpec{}, fmt.Errorf("the proxy of %s: %w", r.options.ClusterName, err)
	}
	spec := fedcorev1beta1.KubeFedClusterSpec{
		APIEndpoint:            r.options.endpoint(config),
		CABundle:               config.CAData,
		SecretRef:              fedcorev1beta1.LocalSecretReference{Name: r.secretName()},
		DisabledTLSValidations: disabledValidations(config),
		ProxyURL:               proxy,
	}
	if r.options.DryRun {
		return spec, nil
	}
	reached := spec
	reached.APIEndpoint = config.Host
	if len(spec.CABundle) == 0 && !config.Insecure && r.works(ctx, reached, r.credentials.ca).Verdict == reach.Ready {
		spec.CABundle = r.credentials.ca // the member's own authority, as KubeFed assumes
		return spec, nil
	}
	if o := r.works(ctx, reached, spec.CABundle); o.Verdict != reach.Ready {
		return spec, fmt.Errorf("%s does not accept its new token: %s", r.options.ClusterName, o.Detail)
	}
	return spec, nil
}

// works probes the member the way the controller will.
func (r registration) works(ctx context.Context, spec fedcorev1beta1.KubeFedClusterSpec, ca []byte) reach.Observation {
	spec.CABundle = ca
	kfc := &fedcorev1beta1.KubeFedCluster{Spec: spec}
	kfc.Name = r.options.ClusterName
	secret := &corev1.Secret{Data: map[string][]byte{reach.TokenKey: []byte(r.credentials.token)}}
	secret.Namespace, secret.Name = r.options.KubeFedNamespace, spec.SecretRef.Name
	a, err := reach.AccessOf(kfc, secret)
	if err != nil {
		return reach.Observation{Verdict: reach.Malformed, Detail: err.Error()}
	}
	p, err := reach.NewProber(a, secret.Namespace+"/"+secret.Name, "", firstAnswer)
	if err != nil {
		return reach.Observation{Verdict: reach.Malformed, Detail: err.Error()}
	}
	defer p.Close()
	return eventually(ctx, p.Healthz)
}

// eventually probes until the credentials are accepted, for a while: each of the
// member's API servers takes a moment to hear of an account that has just been made.
func eventually(ctx context.Context, probe func(context.Context) reach.Observation) (last reach.Observation) {
	const patience, pause = 15 * time.Second, 200 * time.Millisecond
	_ = wait.PollUntilContextTimeout(ctx, pause, patience, true, func(context.Context) (bool, error) {
		last = probe(ctx)
		return !last.Refused, nil
	}) // last says what came of it
	return last
}
