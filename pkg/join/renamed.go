package join

import (
	"context"
	"fmt"
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

// checkFleetAccess finds out whether users of the host are to be let in, or no more, and
// whether that can be done: as it is told now, or else by the new account as they were by an
// earlier one, or by a new token when all are to end.
func (j *joining) checkFleetAccess(ctx context.Context) error {
	wanted := j.options.FleetAccess
	if wanted == nil {
		if j.existing == nil || j.existing.Annotations[reach.FleetAccessAnnotation] == "" {
			return nil
		}
		var err error
		if j.renewsFleetAccess, err = j.hadFleetAccess(ctx); err != nil {
			return err
		}
		if !j.renewsFleetAccess {
			return j.warnOfLostFleetAccess(ctx)
		}
	}
	g, err := j.fleetGrant(ctx)
	if err != nil {
		return err
	}
	if wanted != nil && !*wanted {
		return g.checkRevocation(ctx)
	}
	return g.check(ctx)
}

// hadFleetAccess says whether the member has an account that has let users in and will not
// do so any more: an earlier one, or one whose tokens are to end.
func (j *joining) hadFleetAccess(ctx context.Context) (bool, error) {
	var names []string
	if j.was != "" {
		names = append(names, j.was)
	}
	for _, account := range j.earlier {
		names = append(names, account.Name)
	}
	if j.options.Rotate {
		names = append(names, j.key.Name)
	}
	for _, name := range names {
		if there, err := j.member.has(ctx, client.ObjectKey{Namespace: j.key.Namespace, Name: fleetAccount(name)}); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

// warnOfLostFleetAccess says that nobody gets in any more although the host notes it: the
// member decides, so it is not given anew unasked. What is there of the account of another
// host has let in the users of that one, and goes with it.
func (j *joining) warnOfLostFleetAccess(ctx context.Context) error {
	account := client.ObjectKey{Namespace: j.key.Namespace, Name: fleetAccount(j.key.Name)}
	there, err := j.member.has(ctx, account)
	if err != nil || there && !j.replaces {
		return err
	}
	how := "is gone from"
	if there {
		how = "is another host's and goes from"
	}
	o := j.options
	o.Say(fmt.Sprintf("warning: KubeFedCluster %s/%s lets users of the host in, but ServiceAccount %s with which they get there "+how+" %s: fedctl join %s --cluster-context %s --fleet-access makes it again, --fleet-access=false ends it",
		o.KubeFedNamespace, o.ClusterName, account, o.ClusterName, o.ClusterName, o.context()))
	return nil
}

// setFleetAccess lets users of the host in, or no more, as it is told now or was earlier.
func (j *joining) setFleetAccess(ctx context.Context, host, member *rest.Config) error {
	switch wanted := j.options.FleetAccess; {
	case wanted != nil && !*wanted:
		return revokeFleetAccess(ctx, host, member, j.options)
	case wanted != nil || j.renewsFleetAccess:
		return grantFleetAccess(ctx, host, member, j.options)
	default:
		return nil
	}
}
