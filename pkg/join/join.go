package join

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// controllerTimeout is how long the member's controllers may take: for a token, and
// for the end of a namespace.
const controllerTimeout = time.Minute

// Options say which cluster is joined, as what.
type Options struct {
	// ClusterName is the name of the KubeFedCluster. Required.
	ClusterName string
	// HostClusterName is part of the names of what is created in the member, so
	// that a cluster can be a member of several hosts. Empty means the one that an
	// earlier join has used, and failing that DefaultHostClusterName.
	HostClusterName        string
	DefaultHostClusterName string
	// ClusterContext is the context that member comes from, for saying what else to do
	// there; empty means the one of the cluster's name.
	ClusterContext string
	// KubeFedNamespace is the control plane's namespace in the host, and the
	// namespace of the same name in the member. Required.
	KubeFedNamespace string
	// SecretName is the Secret in the host; empty means the one in use, or else a
	// name made from ClusterName.
	SecretName string
	// APIEndpoint is the member's address as the host's controller reaches it; empty
	// means the one that is stored, and failing that the one in the member's configuration.
	APIEndpoint string
	// RBAC says how much the controller may do in the member; empty means what an earlier
	// join was told, and failing that RBACTypes.
	RBAC RBACMode
	// AllowGranting gives rights by namespace also for types that grant rights, which undo it.
	AllowGranting bool
	// Types are about to be enabled, so that the rights they need are given as well.
	Types []fedcorev1beta1.FederatedTypeConfig
	// TokenLifetime is how long the account's tokens live before the controller has renewed
	// them; 0 is one that does not end, as KubeFed's. Nil means the kind there is, and
	// failing that DefaultTokenLifetime.
	TokenLifetime *time.Duration
	// Rotate ends all tokens of the account, whoever has one, and makes a new one.
	Rotate bool
	// FleetAccess lets users of the host in, or with false no more. Nil means what an earlier
	// join was told, and failing that not.
	FleetAccess *bool
	// TakeOver ends what other hosts may do in the member, for when they are lost: their
	// accounts go, and with them all their tokens.
	TakeOver bool
	// Labels are set on the KubeFedCluster. Others that it has stay.
	Labels map[string]string
	// ForgetLabels leaves alone what the member remembers of an earlier membership.
	ForgetLabels bool
	// ErrorOnExisting makes anything that already exists an error.
	ErrorOnExisting bool
	// DryRun changes nothing, and says what would be done.
	DryRun bool
	// Say is told what has been done, line by line. Nil means nobody is.
	Say func(line string)
	// Joined is given the KubeFedCluster in the end, as it is stored or with DryRun
	// would be. Nil means nobody is.
	Joined func(*fedcorev1beta1.KubeFedCluster)
}

func (o *Options) complete() error {
	if o.RBAC != "" && !slices.Contains(RBACModes, o.RBAC) {
		return fmt.Errorf("unknown RBAC mode %q: use one of %v", o.RBAC, RBACModes)
	}
	if l := o.TokenLifetime; l != nil && *l != 0 && *l < reach.MinTokenLifetime {
		return fmt.Errorf("a token lives %s at least, or with 0 without end; not %s", reach.MinTokenLifetime, *l)
	}
	if err := checkLabels(o.Labels); err != nil {
		return err
	}
	if o.Say == nil {
		o.Say = func(string) {}
	}
	if o.Joined == nil {
		o.Joined = func(*fedcorev1beta1.KubeFedCluster) {}
	}
	if o.APIEndpoint != "" {
		complete, err := reach.ParseEndpoint(o.APIEndpoint)
		if err != nil {
			return fmt.Errorf("the API endpoint %q is not a URL such as https://10.0.0.1:6443", errtext.Address(o.APIEndpoint))
		}
		if strings.HasPrefix(complete, "http://") {
			return fmt.Errorf("the API endpoint %q is not https: the token would be sent to it in clear", errtext.Address(o.APIEndpoint))
		}
		o.APIEndpoint = complete
	}
	return o.validateNames()
}

// context is the member's context in commands that are advised.
func (o *Options) context() string { return errtext.Argument(cmp.Or(o.ClusterContext, o.ClusterName)) }

func (o *Options) hostName() string { return cmp.Or(o.HostClusterName, o.DefaultHostClusterName) }

// Join makes the cluster that member leads to a member of the one host leads to:
// an account with a token and rights in the member, a Secret and a KubeFedCluster
// in the host. What is there already is brought up to date, so that Join can be
// repeated, after a failure or to renew rights; it keeps what it is not told to change,
// and says each change. What it has created before a failure is taken back, or named in
// the error. An account of another host is refused, and one that this host had by an
// earlier name is removed in the end.
//
// The error names the cluster and the object, and for missing rights verb and
// resource.
func Join(ctx context.Context, host, member *rest.Config, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	j, err := open(ctx, host, member, o)
	if err != nil {
		return err
	}
	if err := j.prepare(ctx); err != nil {
		return err
	}
	return j.run(ctx, host, member)
}

// joining is a join under way: who takes part, and what is to be done.
type joining struct {
	registration

	host *hostSide
	// key is the account in the member.
	key  client.ObjectKey
	plan memberRules
	// was is the name of the account that the membership has worked with, if that is to be
	// another one than key now.
	was string
	// renewsFleetAccess is set when users of the host were let in by an account that will not
	// do so any more, or by tokens that end.
	renewsFleetAccess bool
	// token is what the account gets, and objects what the member is to hold.
	token   tokenPlan
	objects []client.Object
	// earlier are accounts in the member that this host does not use any more, and lost
	// those of hosts that are taken over from.
	earlier, lost []client.ObjectKey
	// replaces says that the account of this name is another host's, which goes first.
	replaces bool
}

// open connects to both clusters and finds out whether the cluster has joined.
func open(ctx context.Context, host, member *rest.Config, o Options) (*joining, error) {
	hostSide, err := openHost(host, o.KubeFedNamespace)
	if err != nil {
		return nil, err
	}
	memberSide, err := openSide(ctx, member, o.ClusterName)
	if err != nil {
		return nil, err
	}
	if err := hostSide.usable(ctx); err != nil {
		return nil, err
	}
	existing, err := hostSide.checkName(ctx, o.ClusterName, memberSide, o.endpoint(member))
	if err != nil {
		return nil, err
	}
	switch {
	case o.ErrorOnExisting && existing != nil:
		return nil, fmt.Errorf("KubeFedCluster %s/%s already exists in the host cluster; leave out --error-on-existing to update it", existing.Namespace, existing.Name)
	case o.Rotate && existing == nil:
		return nil, fmt.Errorf("%s has not joined: there is no token to replace; leave out --rotate", o.ClusterName)
	}
	j := &joining{host: hostSide, key: client.ObjectKey{Namespace: o.KubeFedNamespace, Name: o.account(existing)}}
	j.registration = registration{options: o, existing: existing, member: memberSide, account: j.key.String()}
	j.hostUID, err = hostSide.clusterUID(ctx)
	if err != nil {
		return nil, err
	}
	return j, j.findEarlier(ctx)
}

// prepare finds out what is to be done, and refuses what cannot be, before anything is written.
func (j *joining) prepare(ctx context.Context) (err error) {
	o := j.options
	if j.plan, err = j.host.rights(ctx, j.registration, j.key.Name, j.was); err != nil {
		return err
	}
	j.mode = j.plan.mode
	stored, err := j.host.checkSecret(ctx, j.registration)
	if err != nil {
		return err
	}
	if j.token, err = j.tokenPlan(ctx, stored); err != nil {
		return err
	}
	j.objects = memberObjects(j.key, j.hostUID, j.plan, j.token.lifetime)
	if err := errors.Join(j.member.checkRights(ctx, j.objects, j.token.rights(o)...), j.host.checkRights(ctx)); err != nil {
		return err
	}
	if err := j.member.awaitEndOf(ctx, o.KubeFedNamespace, o.Say); err != nil {
		return err
	}
	if j.replaces, err = j.member.checkAccount(ctx, j.key, j.existing, j.hostUID, o); err != nil {
		return err
	}
	if j.replaces {
		j.token.kept = "" // it ends with the account
	}
	if err := j.others(ctx); err != nil {
		return err
	}
	if err := j.checkDrops(ctx); err != nil {
		return err
	}
	return j.checkFleetAccess(ctx)
}

// run does it.
func (j *joining) run(ctx context.Context, host, member *rest.Config) error {
	o := j.options
	inMember := steps{
		client: j.member.client, where: o.ClusterName, dryRun: o.DryRun, errorOnExisting: o.ErrorOnExisting, say: o.Say, made: &[]client.Object{},
	}
	if o.Rotate {
		inMember.made = nil // there was an account: nothing is gained by removing the new one
	}
	err := inMember.takeBack(ctx, j.bringUp(ctx, inMember))
	if err != nil && o.Rotate {
		return fmt.Errorf("%w\nThe earlier tokens of %s may have ended: run the command again, or the controller cannot reach it", err, o.ClusterName)
	} else if err != nil {
		return err
	}
	if err := j.setFleetAccess(ctx, host, member); err != nil {
		return err
	}
	if err := inMember.dropOther(ctx, o.KubeFedNamespace, j.key.Name, j.token.lifetime); err != nil {
		return err
	}
	if j.mode != RBACNamespaces { // the host has been told, so nothing is bound anew
		if err := inMember.dropBoundRights(ctx, o.KubeFedNamespace, j.key.Name); err != nil {
			return err
		}
	}
	if err := inMember.dropEarlier(ctx, j.member, j.earlier); err != nil {
		return err
	}
	if err := inMember.dropLost(ctx, j.member, j.lost); err != nil {
		return err
	}
	for _, line := range j.plan.amountTo() {
		o.Say(o.ClusterName + ": " + line)
	}
	return nil
}

// bringUp makes what the member is to hold, and tells the host.
func (j *joining) bringUp(ctx context.Context, inMember steps) (err error) {
	if j.options.Rotate {
		if err := inMember.endTokens(ctx, j.key.Namespace, j.key.Name); err != nil {
			return err
		}
	}
	if j.replaces {
		if err := inMember.dropLost(ctx, j.member, []client.ObjectKey{j.key}); err != nil {
			return err
		}
	}
	inMember.changed = &j.renewed
	for _, object := range j.objects {
		if err := inMember.ensure(ctx, object); err != nil {
			return err
		}
	}
	if j.options.DryRun {
		j.credentials, err = j.member.presentToken(ctx, j.key.Namespace, j.key.Name, j.token)
	} else {
		j.credentials, err = j.member.token(ctx, j.key.Namespace, j.key.Name, j.token)
	}
	if err != nil {
		return err
	}
	j.credentials.lifetime = j.token.lifetime
	return j.host.register(ctx, j.registration)
}

func (o *Options) endpoint(member *rest.Config) string {
	if o.APIEndpoint != "" {
		return o.APIEndpoint
	}
	if complete, err := reach.ParseEndpoint(member.Host); err == nil && !strings.Contains(member.Host, "://") {
		return complete
	}
	return member.Host
}

// MemberManifests returns what Join would create in the member, for review or for
// applying it by other means. It reads the host only.
func MemberManifests(ctx context.Context, host *rest.Config, o Options) ([]client.Object, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	hostSide, err := openHost(host, o.KubeFedNamespace)
	if err != nil {
		return nil, err
	}
	if err := hostSide.usable(ctx); err != nil {
		return nil, err
	}
	plan, err := hostSide.plan(ctx, cmp.Or(o.RBAC, RBACTypes))
	if err != nil {
		return nil, err
	}
	for _, line := range plan.amountTo() {
		o.Say(o.ClusterName + ": " + line)
	}
	uid, err := hostSide.clusterUID(ctx)
	if err != nil {
		return nil, err
	}
	account := client.ObjectKey{Namespace: o.KubeFedNamespace, Name: o.account(nil)}
	return memberObjects(account, uid, plan, ptr.Deref(o.TokenLifetime, DefaultTokenLifetime)), nil
}

type credentials struct {
	token    string
	lifetime time.Duration // 0 for one that is not renewed
	// ca is the member's own authority, as its pods are told it.
	ca []byte
}

// awaitEndOf waits for a namespace that is being deleted, by an unjoin just
// before, to be gone: nothing can be created in it.
func (s *side) awaitEndOf(ctx context.Context, namespace string, say func(string)) error {
	said := false
	gone := func(ctx context.Context) (bool, error) {
		var found corev1.Namespace
		err := s.client.Get(ctx, client.ObjectKey{Name: namespace}, &found)
		if apierrors.IsNotFound(err) || (err == nil && found.DeletionTimestamp.IsZero()) {
			return true, nil
		}
		if err == nil && !said {
			say(fmt.Sprintf("waiting for Namespace %s in %s to be deleted", namespace, s.name))
			said = true
		}
		return false, err
	}
	err := wait.PollUntilContextTimeout(ctx, 250*time.Millisecond, controllerTimeout, true, gone)
	if wait.Interrupted(err) && ctx.Err() == nil {
		return fmt.Errorf("Namespace %s in %s has been deleted but is not gone after %s: see what its finalizers wait for", namespace, s.name, controllerTimeout) //nolint:staticcheck // a kind begins it
	} else if err != nil {
		return fmt.Errorf("looking at Namespace %s in %s: %w", namespace, s.name, err)
	}
	return nil
}

// awaitToken waits for the member to put a token into the Secret made for it.
func (s *side) awaitToken(ctx context.Context, namespace, account string) (credentials, error) {
	var secret corev1.Secret
	ready := func(ctx context.Context) (bool, error) {
		err := s.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: account}, &secret)
		if apierrors.IsNotFound(err) {
			// The Secret was that of an account deleted meanwhile, and went with it.
			err = client.IgnoreAlreadyExists(s.client.Create(ctx, tokenSecret(namespace, account)))
			return false, err
		}
		return len(secret.Data[corev1.ServiceAccountTokenKey]) > 0, err
	}
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, controllerTimeout, true, ready)
	if wait.Interrupted(err) && ctx.Err() == nil {
		return credentials{}, fmt.Errorf("%s did not fill in the token of Secret %s/%s within %s: is its kube-controller-manager running?", s.name, namespace, account, controllerTimeout)
	} else if err != nil {
		return credentials{}, fmt.Errorf("waiting for the token of Secret %s/%s in %s: %w", namespace, account, s.name, err)
	}
	return credentials{
		token: string(secret.Data[corev1.ServiceAccountTokenKey]),
		ca:    secret.Data[corev1.ServiceAccountRootCAKey],
	}, nil
}

// disabledValidations are the checks that the member's configuration leaves out.
func disabledValidations(config *rest.Config) []fedcorev1beta1.TLSValidation {
	if config.Insecure {
		return []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSAll}
	}
	return nil
}
