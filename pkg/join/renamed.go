package join

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/reach"
)

// A membership gets another account when its host is called otherwise. What was chosen for
// the earlier one holds for the new one. It is read in the member, as with an account that
// stays: the host says only which account that was.

// findEarlier notes the account that the membership has worked with, if it is to be another
// one now. That of another host is none.
func (j *joining) findEarlier(ctx context.Context) error {
	if j.existing == nil {
		return nil
	}
	namespace, name, _ := strings.Cut(j.existing.Annotations[ServiceAccountAnnotation], "/")
	if namespace != j.key.Namespace || name == "" || name == j.key.Name {
		return nil
	}
	var found corev1.ServiceAccount
	err := j.member.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &found)
	if apierrors.IsForbidden(err) {
		return nil // checkRights says so
	} else if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading ServiceAccount %s/%s in %s: %w", namespace, name, j.member.name, err)
	}
	if ownerOf(&found, j.hostUID) != ownerOther {
		j.was = name
	}
	return nil
}

// checkFleetAccess finds out whether users of the host are to be let in by the new account
// as they were by an earlier one, and whether that can be done.
func (j *joining) checkFleetAccess(ctx context.Context) error {
	if j.options.FleetAccess != nil || j.existing == nil || j.existing.Annotations[reach.FleetAccessAnnotation] == "" {
		return nil
	}
	namespace := j.key.Namespace
	var names []string
	if j.was != "" {
		names = append(names, j.was)
	}
	for _, account := range j.earlier {
		names = append(names, account.Name)
	}
	for _, name := range names {
		there, err := j.member.has(ctx, client.ObjectKey{Namespace: namespace, Name: fleetAccount(name)})
		if err != nil {
			return err
		}
		j.movesFleetAccess = j.movesFleetAccess || there
	}
	if !j.movesFleetAccess {
		return j.warnOfLostFleetAccess(ctx)
	}
	account := fleetAccount(j.key.Name)
	objects := slices.Concat(fleetObjects(namespace, j.key.Name), tokenObjects(namespace, account, j.token.lifetime))
	if err := j.member.checkRights(ctx, objects); err != nil {
		return err
	}
	return j.host.missing(ctx, fleetHostRights(namespace))
}

// warnOfLostFleetAccess says that nobody gets in any more although the host notes it: the
// member decides, so it is not given anew unasked.
func (j *joining) warnOfLostFleetAccess(ctx context.Context) error {
	account := client.ObjectKey{Namespace: j.key.Namespace, Name: fleetAccount(j.key.Name)}
	there, err := j.member.has(ctx, account)
	if err != nil || there {
		return err
	}
	o := j.options
	o.Say(fmt.Sprintf("warning: KubeFedCluster %s/%s lets users of the host in, but ServiceAccount %s with which they get there is gone from %s: fedctl join %s --cluster-context %s --fleet-access makes it again, --fleet-access=false ends it",
		o.KubeFedNamespace, o.ClusterName, account, o.ClusterName, o.ClusterName, cmp.Or(o.ClusterContext, o.ClusterName)))
	return nil
}

// setFleetAccess lets users of the host in, or no more, as it is told now or was earlier.
func (j *joining) setFleetAccess(ctx context.Context, host, member *rest.Config) error {
	switch wanted := j.options.FleetAccess; {
	case wanted != nil && !*wanted:
		return RevokeFleetAccess(ctx, host, member, j.options)
	case wanted != nil || j.movesFleetAccess:
		return GrantFleetAccess(ctx, host, member, j.options)
	default:
		return nil
	}
}
