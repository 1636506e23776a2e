package join

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// A cluster that joins again keeps what earlier joins, or its owner, were told: how the
// controller reaches it need not be how the one who repeats the command does.

// account is the name of the service account in the member: the one that an earlier join
// noted, unless another host cluster name is asked for.
func (o *Options) account(existing *fedcorev1beta1.KubeFedCluster) string {
	if o.HostClusterName == "" && existing != nil {
		namespace, name, _ := strings.Cut(existing.Annotations[ServiceAccountAnnotation], "/")
		if namespace == o.KubeFedNamespace && name != "" {
			return name
		}
	}
	return serviceAccountName(o.ClusterName, o.hostName())
}

// modeOf is how much an earlier join was told to allow, or empty when there was none.
// What KubeFed's own join has granted counts as none: it knows only one way. Where the
// host does not know of the earlier join any more, only the narrowest is kept.
func (s *side) modeOf(ctx context.Context, existing *fedcorev1beta1.KubeFedCluster, namespace, account string) (RBACMode, error) {
	noted := existing != nil && existing.Annotations[ServiceAccountAnnotation] == namespace+"/"+account
	name := roleName(account)
	var role rbacv1.ClusterRole
	err := s.client.Get(ctx, client.ObjectKey{Name: name}, &role)
	rules, annotations := role.Rules, role.Annotations
	if apierrors.IsNotFound(err) { // a Namespaced control plane
		var namespaced rbacv1.Role
		err = s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &namespaced)
		rules, annotations = namespaced.Rules, namespaced.Annotations
	}
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return "", nil // checkRights says what is missing
	} else if err != nil {
		return "", fmt.Errorf("reading role %s in %s: %w", name, s.name, err)
	}
	mode := RBACMode(annotations[RBACAnnotation])
	switch {
	case mode == RBACNamespaces:
		return mode, nil
	case !noted:
		return "", nil
	case slices.Contains(RBACModes, mode):
		return mode, nil
	}
	if slices.ContainsFunc(rules, isEverything) {
		return RBACAdmin, nil
	}
	return "", nil
}

// rights computes what the account is to be allowed, and says so where an earlier join
// was told it, not this one. was is the account of that join, if it was another.
func (h *hostSide) rights(ctx context.Context, r registration, account, was string) (memberRules, error) {
	o, member, existing := r.options, r.member, r.existing
	mode := o.RBAC
	if mode == "" {
		earlier, err := member.modeOf(ctx, existing, o.KubeFedNamespace, cmp.Or(was, account))
		if err == nil && earlier == "" && was != "" {
			earlier, err = member.modeOf(ctx, existing, o.KubeFedNamespace, account)
		}
		if err != nil {
			return memberRules{}, err
		}
		if existing != nil && reach.AwaitsJoin(existing) && existing.Annotations[reach.NamespaceRightsAnnotation] != "" {
			earlier = RBACNamespaces // as the host was told that it was brought from
		}
		switch mode = cmp.Or(earlier, RBACTypes); mode {
		case RBACAdmin:
			o.Say("kept the right to do everything in " + o.ClusterName + ", which an earlier join was told to give (--rbac=types takes it away)")
		case RBACNamespaces:
			o.Say("kept the rights in " + o.ClusterName + " to the namespaces that are federated to it, as an earlier join was told (--rbac=types gives them in all)")
		case RBACUsual:
			o.Say("kept the rights to the usual types in " + o.ClusterName + ", which an earlier join was told to give (--rbac=types leaves those of enabled types)")
		}
	}
	if mode == RBACNamespaces && existing != nil && existing.Annotations[reach.CredentialPluginAnnotation] != "" {
		return memberRules{}, errPluginRights
	}
	plan, err := h.plan(ctx, mode, o.Types...)
	if err != nil || mode != RBACNamespaces {
		return plan, err
	}
	if err := member.checkGranting(ctx, plan, cmp.Or(was, account), o); err != nil {
		return plan, err
	}
	guarded, err := member.guards()
	plan.unguarded = !guarded
	return plan, err
}

// specAgain is the spec of a member that joins again: what is stored, but for what it is
// told to change, and for an authority with which the member cannot be verified any more.
func (r registration) specAgain(ctx context.Context) (fedcorev1beta1.KubeFedClusterSpec, error) {
	spec := *r.existing.Spec.DeepCopy()
	spec.SecretRef.Name = r.secretName()
	if spec.APIEndpoint == "" || r.options.APIEndpoint != "" {
		spec.APIEndpoint = r.options.endpoint(r.member.config)
	}
	if r.options.DryRun {
		return spec, nil
	}
	answer, uid := r.works(ctx, spec, spec.CABundle)
	if answer.Unproved {
		for _, ca := range [][]byte{r.member.config.CAData, r.credentials.ca} {
			if len(ca) == 0 || bytes.Equal(ca, spec.CABundle) {
				continue
			}
			if other, found := r.works(ctx, spec, ca); other.Verdict == reach.Ready {
				answer, uid, spec.CABundle = other, found, ca
				break
			}
		}
	}
	if err := r.checkAnswer(spec.APIEndpoint, answer, uid); err != nil || answer.Verdict == reach.Ready {
		return spec, err
	}
	// It may be that only the controller gets there. The token is proved on the way there is.
	fresh, err := r.freshSpec()
	if err != nil {
		return spec, err
	}
	reached := fresh
	reached.APIEndpoint = r.member.config.Host
	if o, _ := r.works(ctx, reached, fresh.CABundle); o.Verdict != reach.Ready {
		return spec, fmt.Errorf("%s does not accept its token: %s", r.options.ClusterName, o.Detail)
	}
	r.sayUnchecked(spec.APIEndpoint, answer)
	return spec, nil
}

// sayUnchecked says that nobody here knows whether an address is right, and where the
// kubeconfig has another one, at which the member does answer, how to go over to that.
func (r registration) sayUnchecked(endpoint string, answer reach.Observation) {
	o := r.options
	line := fmt.Sprintf("could not check spec.apiEndpoint %s from here: %s", errtext.Address(endpoint), answer.Detail)
	if host := r.member.config.Host; !reach.SameEndpoint(host, endpoint) {
		line += fmt.Sprintf(". If the controller does not reach it either, go over to the address of the kubeconfig, which answers: fedctl join %s --cluster-context %s --api-endpoint %s",
			o.ClusterName, o.context(), errtext.Argument(errtext.Address(host)))
	}
	o.Say(line)
}

// checkAnswer refuses an address at which certainly another cluster answers, and for one
// that the command names, whatever has not proved to be this one.
func (r registration) checkAnswer(endpoint string, answer reach.Observation, uid string) error {
	switch {
	case answer.Verdict == reach.Ready && uid != "" && r.member.uid != "" && uid != r.member.uid:
		return fmt.Errorf("another cluster answers at %s than the one that joins as %s: set --api-endpoint to the address at which the host's controller reaches this one", errtext.Address(endpoint), r.options.ClusterName)
	case answer.Refused:
		return fmt.Errorf("what answers at %s does not accept the token of %s, so it is another cluster: set --api-endpoint to the address at which the host's controller reaches this one", errtext.Address(endpoint), r.options.ClusterName)
	case r.options.APIEndpoint == "":
		return nil
	case answer.Unproved, answer.Verdict == reach.NotReady, answer.Verdict == reach.Malformed:
		return fmt.Errorf("what answers at %s is not certainly %s: %s. Set --api-endpoint to the address at which the host's controller reaches it", errtext.Address(endpoint), r.options.ClusterName, answer.Detail)
	default:
		return nil // only the controller may get there
	}
}

// sayChanges says what of a KubeFedCluster becomes something else, and what stays although
// the kubeconfig has something else.
func (r registration) sayChanges(desired client.Object, was, is fedcorev1beta1.KubeFedClusterSpec) {
	verb := "changed"
	if r.options.DryRun {
		verb = "would change"
	}
	changed := func(field, from, to string) {
		if from != to {
			r.options.Say(fmt.Sprintf("%s %s of %s: %s to %s", verb, field, describeObject(desired), orNothing(from), orNothing(to)))
		}
	}
	changed("spec.apiEndpoint", errtext.Address(was.APIEndpoint), errtext.Address(is.APIEndpoint))
	changed("spec.secretRef.name", was.SecretRef.Name, is.SecretRef.Name)
	if !bytes.Equal(was.CABundle, is.CABundle) {
		r.options.Say(fmt.Sprintf("%s spec.caBundle of %s: what is there does not verify the member", verb, describeObject(desired)))
	}
	for _, key := range []string{ServiceAccountAnnotation, reach.ClusterUIDAnnotation} {
		if from := r.existing.Annotations[key]; from != "" {
			if to := r.annotations()[key]; to != "" {
				changed("annotation "+key, from, to)
			}
		}
	}
	if host := r.member.config.Host; r.options.APIEndpoint == "" && !reach.SameEndpoint(host, is.APIEndpoint) {
		r.options.Say(fmt.Sprintf("kept spec.apiEndpoint %s of %s; the kubeconfig has %s (--api-endpoint changes it)", errtext.Address(is.APIEndpoint), describeObject(desired), errtext.Address(host)))
	}
}

func orNothing(value string) string {
	if value == "" {
		return "nothing"
	}
	return value
}
