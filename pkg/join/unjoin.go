package join

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
)

// UnjoinOptions say which member is let go.
type UnjoinOptions struct {
	// ClusterName is the name of the KubeFedCluster. Required.
	ClusterName string
	// HostClusterName is the one given to join; empty means what join noted, and
	// failing that DefaultHostClusterName.
	HostClusterName        string
	DefaultHostClusterName string
	// ClusterContext is the context that member comes from, for saying how to repeat
	// the command; empty means the one of the cluster's name.
	ClusterContext string
	// KubeFedNamespace is the control plane's namespace. Required.
	KubeFedNamespace string
	// Force lets the member go even if it cannot be reached or cleaned up.
	Force bool
	// DryRun changes nothing, and says what would be done.
	DryRun bool
	// Say is told what has been done, line by line. Nil means nobody is.
	Say func(line string)
	// Deleted is told of each object that was deleted, or with DryRun would be, in
	// the host or in the member, instead of Say. Nil means that Say is.
	Deleted func(object client.Object)
}

// context is the member's context in commands that are advised.
func (o *UnjoinOptions) context() string {
	return errtext.Argument(cmp.Or(o.ClusterContext, o.ClusterName))
}

// Unjoin undoes Join. The host goes first, so that the controller lets go of the
// member before its token dies; then everything Join created in the member is
// removed, and the rights of its account to execute backups there. What another
// KubeFedCluster uses (the Secret, the account, its rights) stays. What was propagated
// to the member stays, and so does its KubeFed namespace while it holds anything of
// others, or the member is the host.
//
// member may be nil with Force, for a member that is gone. Unjoin can be
// repeated: if the member could not be cleaned up, the next one does the rest.
func Unjoin(ctx context.Context, host, member *rest.Config, o UnjoinOptions) error {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	u, err := openUnjoin(ctx, host, member, o)
	if err != nil {
		return err
	}
	if err := u.prepare(ctx); err != nil {
		return err
	}
	return u.run(ctx)
}

// unjoining is an unjoin under way: what there is, and what of it goes.
type unjoining struct {
	UnjoinOptions

	host    *hostSide
	hostUID string
	// member is nil where it cannot be worked on.
	member *side
	// kfc is nil where the host does not know the cluster any more, or not yet; left is
	// what it has of it besides.
	kfc    *fedcorev1beta1.KubeFedCluster
	left   []client.Object
	others []fedcorev1beta1.KubeFedCluster
	// account is that in the member, and kept why it stays; empty if it goes.
	account client.ObjectKey
	kept    string
}

// openUnjoin connects to both clusters and finds out what the membership consists of.
func openUnjoin(ctx context.Context, host, member *rest.Config, o UnjoinOptions) (*unjoining, error) {
	u := &unjoining{UnjoinOptions: o}
	var err error
	if u.host, err = openHost(host, o.KubeFedNamespace); err != nil {
		return nil, err
	}
	if u.kfc, err = u.host.find(ctx, o.ClusterName); err != nil {
		return nil, err
	}
	if u.others, err = u.host.others(ctx, o.ClusterName); err != nil {
		return nil, err
	}
	if u.member, err = o.openMember(ctx, member, u.kfc); err != nil {
		if !o.Force {
			return nil, fmt.Errorf("%w (--force removes it from the host cluster only)", err)
		}
		o.Say(fmt.Sprintf("left %s as it is: %v", o.ClusterName, err))
	}
	if u.hostUID, err = u.host.clusterUID(ctx); err != nil {
		return nil, err
	}
	return u, u.findAccount(ctx)
}

// prepare refuses what cannot be done to the end, before anything is: what is left
// half-way is harder to find again. With Force it goes as far as it can.
func (u *unjoining) prepare(ctx context.Context) error {
	if err := u.findHostLeftovers(ctx); err != nil {
		return err
	}
	if err := u.findLeftovers(ctx); err != nil {
		return err
	}
	if u.member == nil || u.kept != "" {
		return nil
	}
	err := u.member.checkRemoval(ctx, u.account)
	if err != nil && !u.Force {
		return fmt.Errorf("%w; %s stays as it is (--force removes it from the host cluster, and of what it has itself what you may)", err, u.ClusterName)
	}
	return nil
}

// run does it.
func (u *unjoining) run(ctx context.Context) error {
	if err := u.host.forget(ctx, u.kfc, u.left, u.others, u.UnjoinOptions); err != nil {
		return err
	}
	u.sayLabels(u.kfc)
	if u.member == nil {
		return nil
	}
	memory := client.ObjectKey{Namespace: u.account.Namespace, Name: u.hostUID}
	if err := u.rememberLabels(ctx, u.kfc, u.others, u.member, memory); err != nil {
		u.Say(fmt.Sprintf("could not leave the labels in %s: %v", u.ClusterName, err)) // they have been said
	}
	if u.kept != "" {
		u.Say(fmt.Sprintf("kept ServiceAccount %s and its rights in %s: %s", named(u.account), u.ClusterName, u.kept))
		return nil
	}
	err := u.member.cleanUp(ctx, u.account, u.host.namespaceUID(ctx), u.UnjoinOptions)
	if err == nil {
		return nil
	}
	rest := fmt.Sprintf("Run the command again to do the rest: fedctl unjoin %s --cluster-context %s --host-cluster-name %s",
		u.ClusterName, u.context(), errtext.Argument(strings.TrimPrefix(u.account.Name, u.ClusterName+"-")))
	switch {
	case u.DryRun:
		return fmt.Errorf("%s could not be cleaned up: %w", u.ClusterName, err)
	case u.Force:
		u.Say(fmt.Sprintf("could not clean up %s: %v\n%s", u.ClusterName, err, rest))
		return nil
	default:
		return fmt.Errorf("%s is no longer a member, but was not cleaned up: %w\n%s", u.ClusterName, err, rest)
	}
}

// sayLabels says which labels go with the KubeFedCluster: placements may select by them.
func (o *UnjoinOptions) sayLabels(kfc *fedcorev1beta1.KubeFedCluster) {
	if kfc == nil || len(kfc.Labels) == 0 {
		return
	}
	labels := LabelList(kfc.Labels)
	verb := "dropped"
	if o.DryRun {
		verb = "would drop"
	}
	o.Say(fmt.Sprintf("%s the labels of %s: %s; to join with them again: fedctl join %s --cluster-context %s --labels %s",
		verb, o.ClusterName, labels, o.ClusterName, o.context(), errtext.Argument(labels)))
}

// rememberLabels leaves the labels in the member, for the next join: in its namespace, under
// the host's UID. What a copy says that has never been used is nothing to remember.
func (o *UnjoinOptions) rememberLabels(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster, others []fedcorev1beta1.KubeFedCluster, member *side, where client.ObjectKey) error {
	if kfc == nil || o.DryRun || isCopy(kfc, others) {
		return nil
	}
	if len(kfc.Labels) == 0 {
		return member.forgetMembership(ctx, where.Namespace, where.Name)
	}
	if where.Name == "" {
		return errors.New("the UID of the host cluster could not be read")
	}
	return member.remember(ctx, where.Namespace, where.Name, memory{Cluster: o.ClusterName, Labels: kfc.Labels})
}

// openMember connects to the member and makes sure that it is the cluster which
// joined: nothing is ever removed from another.
func (o *UnjoinOptions) openMember(ctx context.Context, config *rest.Config, kfc *fedcorev1beta1.KubeFedCluster) (*side, error) {
	if config == nil {
		return nil, errors.New("the kubeconfig does not say how to reach it")
	}
	s, err := openSide(ctx, config, o.ClusterName)
	if err != nil {
		return nil, err
	}
	if kfc != nil {
		if known := reach.NotedUID(kfc); known != "" && s.uid != "" && known != s.uid {
			return nil, fmt.Errorf("the context leads to %s, which is not the cluster that joined as %s: set --cluster-context", config.Host, o.ClusterName)
		}
	}
	return s, nil
}

// find returns the KubeFedCluster, or nil when there is none.
func (h *hostSide) find(ctx context.Context, name string) (*fedcorev1beta1.KubeFedCluster, error) {
	ctx, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	var kfc fedcorev1beta1.KubeFedCluster
	err := h.client.Get(ctx, client.ObjectKey{Namespace: h.namespace, Name: name}, &kfc)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // nothing there is an answer
	} else if err != nil {
		return nil, h.explain("reading KubeFedCluster "+h.namespace+"/"+name, err)
	}
	kfc.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("KubeFedCluster"))
	return &kfc, nil
}

// forget removes KubeFedCluster and Secret, or what is left of them without one.
func (h *hostSide) forget(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster, left []client.Object, others []fedcorev1beta1.KubeFedCluster, o UnjoinOptions) error {
	s := steps{client: h.client, where: h.name, dryRun: o.DryRun, say: o.Say, deleted: o.Deleted}
	if kfc == nil {
		return s.removeAll(ctx, left)
	}
	if err := s.remove(ctx, kfc); err != nil {
		return err
	}
	if err := s.removeAll(ctx, left); err != nil {
		return err
	}
	if kfc.Spec.SecretRef.Name == "" {
		return nil
	}
	return h.forgetSecret(ctx, s, kfc, others)
}

func (s *side) has(ctx context.Context, account client.ObjectKey) (bool, error) {
	err := s.client.Get(ctx, account, &corev1.ServiceAccount{})
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("reading ServiceAccount %s in %s: %w", account, s.name, err)
	}
	return err == nil, nil
}

// namespaceUID is that of the control plane's namespace, or empty.
func (h *hostSide) namespaceUID(ctx context.Context) types.UID {
	var namespace corev1.Namespace
	if err := h.client.Get(ctx, client.ObjectKey{Name: h.namespace}, &namespace); err != nil {
		return ""
	}
	return namespace.UID
}

// cleanUp removes what Join created in the member, and the account's further rights.
// The KubeFed namespace goes only if it is empty and certainly not the host's, whose UID is
// hostNamespace, and stays where the user may not delete it.
func (s *side) cleanUp(ctx context.Context, account client.ObjectKey, hostNamespace types.UID, o UnjoinOptions) error {
	did := steps{client: s.client, where: s.name, dryRun: o.DryRun, say: o.Say, deleted: o.Deleted}
	if err := did.dropAccount(ctx, s, account); err != nil {
		return err
	}
	namespace := &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	err := s.client.Get(ctx, client.ObjectKey{Name: account.Namespace}, namespace)
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	why, err := s.keepNamespace(ctx, namespace, account.Name, hostNamespace)
	if err != nil {
		return fmt.Errorf("looking at what is left in namespace %s of %s: %w", namespace.Name, s.name, err)
	}
	if hostNamespace == "" {
		why = "the host's own could not be read to tell them apart"
	}
	if why == "" {
		err := did.remove(ctx, namespace)
		if !apierrors.IsForbidden(err) {
			return err
		}
		why = "you may not delete it"
	}
	o.Say(fmt.Sprintf("kept Namespace %s in %s: %s", namespace.Name, s.name, why))
	return nil
}
