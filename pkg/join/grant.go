package join

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"
)

// UpdateRights brings the rights of a member's account to what the host's types need
// now, as joining again would, and changes nothing else: neither its token, nor what the
// host knows of it. It is for a cluster that has joined.
func UpdateRights(ctx context.Context, host, member *rest.Config, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	hostSide, err := openHost(host, o.KubeFedNamespace)
	if err != nil {
		return err
	}
	if err := hostSide.usable(ctx); err != nil {
		return err
	}
	memberSide, err := openSide(ctx, member, o.ClusterName)
	if err != nil {
		return err
	}
	existing, err := hostSide.checkName(ctx, o.ClusterName, memberSide, o.endpoint(member))
	if err != nil {
		return err
	}
	account := o.account(existing)
	if existing == nil || existing.Annotations[ServiceAccountAnnotation] == "" {
		return fmt.Errorf("%s was not joined by this program: run \"fedctl join %s\"", o.ClusterName, o.ClusterName)
	}
	plan, err := hostSide.rights(ctx, memberSide, existing, o, account)
	if err != nil {
		return err
	}
	roles := roleObjects(o.KubeFedNamespace, account, plan)
	if err := memberSide.checkRights(ctx, roles); err != nil {
		return err
	}
	s := steps{client: memberSide.client, where: o.ClusterName, dryRun: o.DryRun, say: o.Say}
	var errs []error
	for _, object := range roles {
		errs = append(errs, s.ensure(ctx, object))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, line := range plan.amountTo() {
		o.Say(o.ClusterName + ": " + line)
	}
	return nil
}
