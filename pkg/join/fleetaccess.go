package join

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/pkg/reach"
)

// Fleet access lets users of the host into a member, each as himself: an account in the
// member that may impersonate users, and in the host a Secret with its token that the
// fleet's API server alone may read. It may do nothing by itself; but who has its token
// can be anybody in the member, so it is never given unasked.

// fleetAccount is the account in the member, beside that of the controller.
func fleetAccount(serviceAccount string) string { return serviceAccount + "-fleet" }

// fleetRoleName is the name of its role in the member, and of the role's binding.
func fleetRoleName(account string) string { return "fedctl-fleet-access:" + account }

// fleetAccessName is the name of the Secret in the host, and of the role that lets it be read.
func fleetAccessName(cluster string) string { return cluster + "-fleet-access" }

// fleetRules are those of the account: to be users and groups, with all that can be said of
// them. ServiceAccounts of the member are not among them, which Kubernetes keeps apart.
func fleetRules() []rbacv1.PolicyRule {
	impersonate := []string{"impersonate"}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"users", "groups"}, Verbs: impersonate},
		// UIDs, and extra fields of any name, each of which is a resource.
		{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"*"}, Verbs: impersonate},
	}
}

// fleetObjects are what a member holds that lets users of the host in, in the order of
// their creation; account is that of the controller there.
func fleetObjects(namespace, serviceAccount string) []client.Object {
	account := fleetAccount(serviceAccount)
	return append([]client.Object{serviceAccountObject(namespace, account)},
		clusterRoleAndBinding(fleetRoleName(account), namespace, account, fleetRules())...)
}

// fleetLeftovers are all that a member may hold of it, in the order of their deletion.
func fleetLeftovers(namespace, serviceAccount string) []client.Object {
	account := fleetAccount(serviceAccount)
	objects := fleetObjects(namespace, serviceAccount)
	renewing := roleAndBinding(tokenRoleName(account), namespace, account, nil)
	return []client.Object{objects[2], objects[1], renewing[1], renewing[0], tokenSecret(namespace, account), objects[0]}
}

// fleetGrant is what letting users of the host in is done with, or letting them in no more.
type fleetGrant struct {
	Options
	host   *hostSide
	member *side
	// kfc is nil before the cluster has joined.
	kfc     *fedcorev1beta1.KubeFedCluster
	account string // the controller's
	// stored is the Secret in the host, nil when there is none.
	stored *corev1.Secret
}

// fleetGrant reads everything first.
func (j *joining) fleetGrant(ctx context.Context) (g *fleetGrant, err error) {
	g = &fleetGrant{Options: j.options, host: j.host, member: j.member, kfc: j.existing, account: j.key.Name}
	g.stored, err = g.storedSecret(ctx)
	return g, err
}

// openFleetGrant is fleetGrant once the cluster has joined; its account must be this host's.
func openFleetGrant(ctx context.Context, host, member *rest.Config, o Options) (*fleetGrant, error) {
	o.ErrorOnExisting = false // it has just joined
	j, err := open(ctx, host, member, o)
	if err != nil {
		return nil, err
	}
	g, err := j.fleetGrant(ctx)
	switch {
	case err != nil:
		return nil, err
	case g.kfc == nil && o.DryRun:
		g.kfc = &fedcorev1beta1.KubeFedCluster{ObjectMeta: metav1.ObjectMeta{Namespace: o.KubeFedNamespace, Name: o.ClusterName}}
		return g, nil
	case g.kfc == nil:
		return nil, fmt.Errorf("%s has not joined: there is no KubeFedCluster %s/%s in the host cluster", o.ClusterName, o.KubeFedNamespace, o.ClusterName)
	}
	_, err = j.member.checkAccount(ctx, j.key, j.existing, j.hostUID, o)
	return g, err
}

// plan is the token that the account gets, and what the member is to hold.
func (g *fleetGrant) plan(ctx context.Context) (tokenPlan, []client.Object, error) {
	account := fleetAccount(g.account)
	plan, err := registration{options: g.Options, existing: g.kfc, member: g.member, account: g.KubeFedNamespace + "/" + account}.tokenPlan(ctx, g.stored)
	if g.stored == nil && g.TokenLifetime == nil {
		plan.lifetime = DefaultTokenLifetime
	}
	return plan, append(fleetObjects(g.KubeFedNamespace, g.account), tokenObjects(g.KubeFedNamespace, account, plan.lifetime)...), err
}

// check refuses to let users in where that cannot be done to the end: before anything is
// written, as joining is not taken back for it.
func (g *fleetGrant) check(ctx context.Context) error {
	plan, objects, err := g.plan(ctx)
	if err != nil {
		return err
	}
	if err := g.member.checkRights(ctx, objects, plan.rights(g.Options)...); err != nil {
		return err
	}
	if err := g.host.missing(ctx, fleetHostRights(g.KubeFedNamespace)); err != nil {
		return err
	}
	for _, object := range objects {
		if _, cluster := object.(*rbacv1.ClusterRole); cluster { // what has a namespace may have none yet
			if err := g.member.mayGrant(ctx, object); err != nil {
				return err
			}
		}
	}
	return g.host.mayGrant(ctx, fleetHostRole(g.KubeFedNamespace, g.ClusterName)[0])
}

// grantFleetAccess lets users of the host into a member that has joined, through the API of
// the fleet. What they may do there its administrator says, by binding rights to their
// names. It can be repeated; with o.Rotate all earlier tokens end. The error names the
// cluster and the object.
func grantFleetAccess(ctx context.Context, host, member *rest.Config, o Options) error {
	g, err := openFleetGrant(ctx, host, member, o)
	if err != nil {
		return err
	}
	plan, objects, err := g.plan(ctx)
	if err != nil {
		return err
	}
	account := fleetAccount(g.account)
	inMember := steps{client: g.member.client, where: g.ClusterName, dryRun: g.DryRun, say: g.Say}
	if g.Rotate {
		if err := inMember.endTokens(ctx, g.KubeFedNamespace, account); err != nil {
			return err
		}
	}
	for _, object := range objects {
		if err := inMember.ensure(ctx, object); err != nil {
			return err
		}
	}
	var made credentials
	if !g.DryRun {
		if made, err = g.member.token(ctx, g.KubeFedNamespace, account, plan); err != nil {
			return err
		}
	} else if made, err = g.member.presentToken(ctx, g.KubeFedNamespace, account, plan); err != nil {
		return err
	}
	made.lifetime = plan.lifetime
	if err := g.store(ctx, made); err != nil {
		return err
	}
	return inMember.dropOther(ctx, g.KubeFedNamespace, account, plan.lifetime)
}

// FleetAccessManifests are what letting users of the host in would create in the member.
func FleetAccessManifests(o Options) []client.Object {
	account := o.account(nil)
	lifetime := ptr.Deref(o.TokenLifetime, DefaultTokenLifetime)
	return append(fleetObjects(o.KubeFedNamespace, account), tokenObjects(o.KubeFedNamespace, fleetAccount(account), lifetime)...)
}

// checkRevocation refuses to let users in no more where that cannot be done to the end.
func (g *fleetGrant) checkRevocation(ctx context.Context) error {
	in := g.KubeFedNamespace
	var rights []right
	if g.stored != nil || g.kfc != nil && g.kfc.Annotations[reach.FleetAccessAnnotation] != "" {
		rights = fleetForgetRights(in)
	}
	if err := g.host.missing(ctx, rights); err != nil {
		return err
	}
	rights, err := g.member.rightsTo(fleetLeftovers(in, g.account), "delete")
	if err != nil {
		return err
	}
	return g.member.missing(ctx, rights)
}

// revokeFleetAccess undoes grantFleetAccess, and what is left of one that was interrupted.
// The host goes first, which ends what is under way.
func revokeFleetAccess(ctx context.Context, host, member *rest.Config, o Options) error {
	g, err := openFleetGrant(ctx, host, member, o)
	if err != nil {
		return err
	}
	inHost := steps{client: g.host.client, where: g.host.name, dryRun: g.DryRun, say: g.Say}
	if err := g.note(ctx, inHost, ""); err != nil {
		return err
	}
	inMember := steps{client: g.member.client, where: g.ClusterName, dryRun: g.DryRun, say: g.Say}
	return errors.Join(
		inHost.removeAll(ctx, fleetHostLeftovers(g.KubeFedNamespace, g.ClusterName)),
		inMember.removeAll(ctx, fleetLeftovers(g.KubeFedNamespace, g.account)),
	)
}

// storedSecret is the Secret in the host, nil if there is none. One of another cluster, or
// of another use, is refused.
func (g *fleetGrant) storedSecret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := g.host.client.Get(ctx, client.ObjectKey{Namespace: g.KubeFedNamespace, Name: fleetAccessName(g.ClusterName)}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // nothing there is an answer
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s/%s in the host cluster: %w", g.KubeFedNamespace, fleetAccessName(g.ClusterName), err)
	case secret.Labels[reach.ClusterLabel] != g.ClusterName:
		return nil, fmt.Errorf("Secret %s/%s in the host cluster is not that of cluster %s: delete it, or rename what uses it", secret.Namespace, secret.Name, g.ClusterName) //nolint:staticcheck // a kind begins it
	}
	return secret, nil
}

// fleetHostRights are what storing it in the host takes.
func fleetHostRights(namespace string) (rights []right) {
	for _, verb := range []string{"get", "create", "patch"} {
		rights = append(rights, right{verb, "", "secrets", namespace})
	}
	for _, resource := range []string{"roles", "rolebindings"} {
		for _, verb := range []string{"get", "create", "update"} {
			rights = append(rights, right{verb, rbacv1.GroupName, resource, namespace})
		}
	}
	return rights
}

// fleetForgetRights are what removing it from the host takes.
func fleetForgetRights(namespace string) []right {
	return []right{
		{"delete", "", "secrets", namespace}, {"delete", rbacv1.GroupName, "roles", namespace}, {"delete", rbacv1.GroupName, "rolebindings", namespace},
	}
}

// fleetHostRole is the right of the fleet's API server to read the Secret of a cluster, and to
// store the next token in it: it can read no other, above all not the controller's.
func fleetHostRole(namespace, cluster string) []client.Object {
	name := fleetAccessName(cluster)
	return roleAndBinding(name, namespace, kubefedconfig.FleetAPI, []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{name}, Verbs: []string{"get", "patch"},
	}})
}

// fleetHostLeftovers are all that the host may hold of it, in the order of their deletion: the
// Secret last, by which the rest is found.
func fleetHostLeftovers(namespace, cluster string) []client.Object {
	role := fleetHostRole(namespace, cluster)
	return []client.Object{role[1], role[0], secretNamed(namespace, fleetAccessName(cluster))}
}

// hostObjects are the Secret, and the right to read it. They go with the KubeFedCluster.
func (g *fleetGrant) hostObjects(made credentials) []client.Object {
	name := fleetAccessName(g.ClusterName)
	secret := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: g.KubeFedNamespace, Name: name, Labels: map[string]string{reach.ClusterLabel: g.ClusterName},
			Annotations: map[string]string{reach.ClusterUIDAnnotation: g.member.uid},
		},
		Data: map[string][]byte{reach.TokenKey: []byte(made.token)},
	}
	if len(made.ca) > 0 {
		secret.Data[reach.CAKey] = made.ca
	}
	if made.lifetime > 0 {
		secret.Annotations[reach.TokenLifetimeAnnotation] = made.lifetime.String()
	}
	objects := append([]client.Object{secret}, fleetHostRole(g.KubeFedNamespace, g.ClusterName)...)
	owner := metav1.OwnerReference{
		APIVersion: fedcorev1beta1.SchemeGroupVersion.String(), Kind: "KubeFedCluster", Name: g.kfc.Name, UID: g.kfc.UID,
	}
	for _, object := range objects {
		object.SetOwnerReferences([]metav1.OwnerReference{owner})
	}
	return objects
}

// store writes what the host has to know: the Secret first, the annotation that makes it
// used last.
func (g *fleetGrant) store(ctx context.Context, made credentials) error {
	stored := g.stored
	s := steps{client: g.host.client, where: g.host.name, dryRun: g.DryRun, say: g.Say}
	objects := g.hostObjects(made)
	desired, _ := objects[0].(*corev1.Secret)
	switch {
	case stored == nil:
		if err := s.create(ctx, desired); err != nil {
			return err
		}
	case apiequality.Semantic.DeepEqual(stored.Data, desired.Data) && apiequality.Semantic.DeepEqual(stored.Annotations, desired.Annotations) &&
		apiequality.Semantic.DeepEqual(stored.OwnerReferences, desired.OwnerReferences):
		s.say(fmt.Sprintf("unchanged %s in %s", describeObject(desired), s.where))
	default:
		change := func() {
			stored.Data, stored.Annotations, stored.OwnerReferences = desired.Data, desired.Annotations, desired.OwnerReferences
		}
		if err := g.host.update(ctx, s, stored, desired, change); err != nil {
			return err
		}
	}
	for _, object := range objects[1:] {
		if err := s.ensure(ctx, object); err != nil {
			return err
		}
	}
	return g.note(ctx, s, desired.Name)
}

// note has the KubeFedCluster name the Secret, or with an empty name none.
func (g *fleetGrant) note(ctx context.Context, s steps, secret string) error {
	if g.kfc.Annotations[reach.FleetAccessAnnotation] == secret {
		return nil
	}
	kfc := g.kfc.DeepCopy()
	kfc.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"))
	return g.host.update(ctx, s, kfc, kfc.DeepCopy(), func() {
		if secret == "" {
			delete(kfc.Annotations, reach.FleetAccessAnnotation)
			return
		}
		metav1.SetMetaDataAnnotation(&kfc.ObjectMeta, reach.FleetAccessAnnotation, secret)
	})
}
