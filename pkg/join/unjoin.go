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
	hostSide, err := openHost(host, o.KubeFedNamespace)
	if err != nil {
		return err
	}
	kfc, err := hostSide.find(ctx, o.ClusterName)
	if err != nil {
		return err
	}
	others, err := hostSide.others(ctx, o.ClusterName)
	if err != nil {
		return err
	}
	account := o.account(kfc)
	memberSide, err := o.openMember(ctx, member, kfc)
	if err != nil {
		if !o.Force {
			return fmt.Errorf("%w (--force removes it from the host cluster only)", err)
		}
		o.Say(fmt.Sprintf("left %s as it is: %v", o.ClusterName, err))
	}
	hostUID, err := hostSide.clusterUID(ctx)
	if err != nil {
		return err
	}
	if kfc == nil {
		if err := o.checkLeftovers(ctx, memberSide, account, hostUID); err != nil {
			return err
		}
	}
	if kfc != nil {
		if err := hostSide.forget(ctx, kfc, others, o); err != nil {
			return err
		}
	}
	o.sayLabels(kfc)
	if memberSide == nil {
		return nil
	}
	if err := o.rememberLabels(ctx, kfc, others, memberSide, client.ObjectKey{Namespace: account.Namespace, Name: hostUID}); err != nil {
		o.Say(fmt.Sprintf("could not leave the labels in %s: %v", o.ClusterName, err)) // they have been said
	}
	if user := o.accountUser(kfc, account, others); user != "" {
		o.Say(fmt.Sprintf("kept ServiceAccount %s and its rights in %s: KubeFedCluster %s uses them", account, o.ClusterName, user))
		return nil
	}
	err = memberSide.cleanUp(ctx, account, hostUID, hostSide.namespaceUID(ctx), o)
	if err != nil && o.Force {
		o.Say(fmt.Sprintf("could not clean up %s: %v", o.ClusterName, err))
		return nil
	} else if err != nil {
		return fmt.Errorf("%s is no longer a member, but was not cleaned up: %w\nRun the command again to do the rest: fedctl unjoin %s --cluster-context %s --host-cluster-name %s",
			o.ClusterName, err, o.ClusterName, cmp.Or(o.ClusterContext, o.ClusterName), strings.TrimPrefix(account.Name, o.ClusterName+"-"))
	}
	return nil
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
	o.Say(fmt.Sprintf("%s the labels of %s: %s; to join with them again: fedctl join %s --cluster-context %s --labels '%s'",
		verb, o.ClusterName, labels, o.ClusterName, cmp.Or(o.ClusterContext, o.ClusterName), labels))
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

// checkLeftovers makes sure that there is something to remove in the member of a cluster
// which the host does not know any more, and that it is this host's.
func (o *UnjoinOptions) checkLeftovers(ctx context.Context, member *side, account client.ObjectKey, hostUID string) error {
	none := fmt.Errorf("cluster %s has not joined: there is no KubeFedCluster %s/%s in the host cluster", o.ClusterName, o.KubeFedNamespace, o.ClusterName)
	if member == nil {
		return none
	}
	there, err := member.has(ctx, account)
	if err != nil {
		return err
	} else if !there {
		return fmt.Errorf("%w, and no account %s in the member", none, account)
	}
	if why, err := member.keepAccount(ctx, account, hostUID); err != nil {
		return err
	} else if why != "" {
		return fmt.Errorf("%w, and the account %s in the member is not to be removed: %s", none, account, why)
	}
	return nil
}

// account is the service account in the member.
func (o *UnjoinOptions) account(kfc *fedcorev1beta1.KubeFedCluster) client.ObjectKey {
	if o.HostClusterName != "" {
		kfc = nil // it was said
	}
	return o.accountOf(kfc, o.ClusterName)
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

// forget removes KubeFedCluster and Secret.
func (h *hostSide) forget(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster, others []fedcorev1beta1.KubeFedCluster, o UnjoinOptions) error {
	s := steps{client: h.client, where: h.name, dryRun: o.DryRun, say: o.Say, deleted: o.Deleted}
	if err := s.remove(ctx, kfc); err != nil {
		return err
	}
	if err := h.forgetFleetAccess(ctx, s, kfc); err != nil {
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

// cleanUp removes what Join created in the member, and the account's further rights,
// unless it is that of another host. The KubeFed namespace goes only if it is empty and
// certainly not the host's, whose UID is hostNamespace.
func (s *side) cleanUp(ctx context.Context, account client.ObjectKey, hostUID string, hostNamespace types.UID, o UnjoinOptions) error {
	if why, err := s.keepAccount(ctx, account, hostUID); err != nil {
		return err
	} else if why != "" {
		o.Say(fmt.Sprintf("kept ServiceAccount %s and its rights in %s: %s", account, s.name, why))
		return nil
	}
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
	if why != "" {
		o.Say(fmt.Sprintf("kept Namespace %s in %s: %s", namespace.Name, s.name, why))
		return nil
	}
	return did.remove(ctx, namespace)
}
