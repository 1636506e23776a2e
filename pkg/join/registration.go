package join

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

// registration is what the host is told of a member.
type registration struct {
	options     Options
	existing    *fedcorev1beta1.KubeFedCluster
	member      *side
	credentials credentials
	account     string
	// hostUID identifies the host cluster; empty when the user may not read it.
	hostUID string
	mode    RBACMode
	// renewed says that the member holds something else than before.
	renewed bool
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
	s := steps{client: h.client, where: h.name, dryRun: r.options.DryRun, say: r.options.Say, made: &[]client.Object{}}
	if err := h.storeSecret(ctx, s, r); err != nil {
		return s.takeBack(ctx, err)
	}
	return s.takeBack(ctx, h.storeCluster(ctx, s, r, spec))
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
	if r.credentials.lifetime > 0 {
		desired.Annotations = map[string]string{reach.TokenLifetimeAnnotation: r.credentials.lifetime.String()}
	}
	var existing corev1.Secret
	err := h.client.Get(ctx, client.ObjectKeyFromObject(desired), &existing)
	if apierrors.IsNotFound(err) {
		return s.create(ctx, desired)
	} else if err != nil {
		return s.fail("get", desired, err)
	}
	if err := r.checkOwner(&existing); err != nil {
		return err
	}
	labelled := existing.Labels[reach.ClusterLabel] != ""
	sameKind := reach.TokenLifetime(&existing) == r.credentials.lifetime
	if labelled && sameKind && apiequality.Semantic.DeepEqual(existing.Data, desired.Data) {
		s.say(fmt.Sprintf("unchanged %s in %s", describeObject(desired), s.where))
		return nil
	}
	return h.update(ctx, s, &existing, desired, func() {
		existing.Data = desired.Data
		metav1.SetMetaDataLabel(&existing.ObjectMeta, reach.ClusterLabel, r.options.ClusterName)
		delete(existing.Annotations, reach.TokenLifetimeAnnotation)
		for key, value := range desired.Annotations {
			metav1.SetMetaDataAnnotation(&existing.ObjectMeta, key, value)
		}
	})
}

// checkSecret looks before anything is written whether the Secret may be, and returns
// the one that is there.
func (h *hostSide) checkSecret(ctx context.Context, r registration) (*corev1.Secret, error) {
	var existing corev1.Secret
	err := h.client.Get(ctx, client.ObjectKey{Namespace: h.namespace, Name: r.secretName()}, &existing)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // nothing there is an answer
	case apierrors.IsForbidden(err):
		return nil, h.checkRights(ctx) // which says all that is missing
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s/%s in the host cluster: %w", h.namespace, r.secretName(), err)
	}
	return &existing, r.checkOwner(&existing)
}

// checkOwner refuses a Secret that is not the cluster's own.
func (r registration) checkOwner(existing *corev1.Secret) error {
	name := "Secret " + existing.Namespace + "/" + existing.Name
	owner := existing.Labels[reach.ClusterLabel]
	used := r.existing != nil && r.existing.Spec.SecretRef.Name == existing.Name
	switch {
	case owner != "" && owner != r.options.ClusterName, owner == "" && !used:
		return fmt.Errorf("%s in the host cluster is not that of cluster %s: choose another name with --secret-name", name, r.options.ClusterName)
	case r.options.ErrorOnExisting:
		return fmt.Errorf("%s already exists in the host cluster; leave out --error-on-existing to update it", name)
	}
	return nil
}

func (h *hostSide) storeCluster(ctx context.Context, s steps, r registration, spec fedcorev1beta1.KubeFedClusterSpec) error {
	desired := &fedcorev1beta1.KubeFedCluster{
		TypeMeta: metav1.TypeMeta{APIVersion: fedcorev1beta1.SchemeGroupVersion.String(), Kind: "KubeFedCluster"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: h.namespace, Name: r.options.ClusterName, Annotations: r.annotations(), Labels: r.labels(ctx),
		},
		Spec: spec,
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
	delete(annotations, reach.AwaitsJoinAnnotation)
	if r.mode != RBACNamespaces {
		delete(annotations, reach.NamespaceRightsAnnotation)
	}
	r.sayChanges(desired, existing.Spec, spec)
	if apiequality.Semantic.DeepEqual(existing.Spec, spec) && maps.Equal(existing.Annotations, annotations) && maps.Equal(existing.Labels, desired.Labels) {
		s.say(fmt.Sprintf("unchanged %s in %s", describeObject(desired), s.where))
	} else if err := h.update(ctx, s, existing, desired, func() { existing.Spec, existing.Annotations, existing.Labels = spec, annotations, desired.Labels }); err != nil {
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
	if r.existing != nil && r.renewed {
		annotations[reach.RightsRenewedAnnotation] = time.Now().UTC().Format(time.RFC3339Nano)
	}
	if r.mode == RBACNamespaces {
		annotations[reach.NamespaceRightsAnnotation] = r.account
	}
	return annotations
}

// spec says how the member is reached, and proves it where that can be done from
// here: with the new token, over the address in the kubeconfig.
func (r registration) spec(ctx context.Context) (fedcorev1beta1.KubeFedClusterSpec, error) {
	if r.existing != nil {
		return r.specAgain(ctx)
	}
	spec, err := r.freshSpec()
	if err == nil && r.member.config.Insecure {
		r.options.Say(fmt.Sprintf("the certificate of %s is not verified, by the controller neither: the kubeconfig says insecure-skip-tls-verify (spec.disabledTLSValidations of the KubeFedCluster)", r.options.ClusterName))
	}
	if err != nil || r.options.DryRun {
		return spec, err
	}
	reached := spec
	reached.APIEndpoint = r.member.config.Host
	proved := false
	if len(spec.CABundle) == 0 && !r.member.config.Insecure {
		if o, _ := r.works(ctx, reached, r.credentials.ca); o.Verdict == reach.Ready {
			spec.CABundle, proved = r.credentials.ca, true // the member's own authority, as KubeFed assumes
		}
	}
	if !proved {
		if o, _ := r.works(ctx, reached, spec.CABundle); o.Verdict != reach.Ready {
			return spec, fmt.Errorf("%s does not accept its new token: %s", r.options.ClusterName, o.Detail)
		}
	}
	if reach.SameEndpoint(spec.APIEndpoint, reached.APIEndpoint) {
		return spec, nil
	}
	answer, uid := r.works(ctx, spec, spec.CABundle) // none: only the controller may get there
	if err := r.checkAnswer(spec.APIEndpoint, answer, uid); err != nil || answer.Verdict == reach.Ready {
		return spec, err
	}
	r.sayUnchecked(spec.APIEndpoint, answer)
	return spec, nil
}

// freshSpec says how the member is reached by what the command and the kubeconfig say.
func (r registration) freshSpec() (fedcorev1beta1.KubeFedClusterSpec, error) {
	config := r.member.config
	proxy, err := proxyURL(config)
	if err != nil {
		return fedcorev1beta1.KubeFedClusterSpec{}, fmt.Errorf("the proxy of %s: %w", r.options.ClusterName, err)
	}
	return fedcorev1beta1.KubeFedClusterSpec{
		APIEndpoint:            r.options.endpoint(config),
		CABundle:               config.CAData,
		SecretRef:              fedcorev1beta1.LocalSecretReference{Name: r.secretName()},
		DisabledTLSValidations: disabledValidations(config),
		ProxyURL:               proxy,
	}, nil
}

// works probes the member the way the controller will, and asks which cluster it is.
func (r registration) works(ctx context.Context, spec fedcorev1beta1.KubeFedClusterSpec, ca []byte) (o reach.Observation, uid string) {
	spec.CABundle = ca
	kfc := &fedcorev1beta1.KubeFedCluster{Spec: spec}
	kfc.Name = r.options.ClusterName
	secret := &corev1.Secret{Data: map[string][]byte{reach.TokenKey: []byte(r.credentials.token)}}
	secret.Namespace, secret.Name = r.options.KubeFedNamespace, spec.SecretRef.Name
	a, err := reach.AccessOf(kfc, secret)
	if err != nil {
		return reach.Observation{Verdict: reach.Malformed, Detail: err.Error()}, ""
	}
	p, err := reach.NewProber(a, secret.Namespace+"/"+secret.Name, "", firstAnswer)
	if err != nil {
		return reach.Observation{Verdict: reach.Malformed, Detail: err.Error()}, ""
	}
	defer p.Close()
	if o = eventually(ctx, p.Healthz); o.Verdict == reach.Ready {
		uid, _ = p.ClusterUID(ctx) // what may not be read is not compared
	}
	return o, uid
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
