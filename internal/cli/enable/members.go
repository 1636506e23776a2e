package enable

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// joinMembers joins all members again, so that the controller gets its rights to the type
// there. One that fails keeps no other from it.
func (o *Options) joinMembers(ctx context.Context, host *enablement.Host, added *fedcorev1beta1.FederatedTypeConfig) error {
	hostConfig, err := o.factory.HostConfig()
	if err != nil {
		return err
	}
	hostContext, err := o.factory.HostContext()
	if err != nil {
		return err
	}
	var members fedcorev1beta1.KubeFedClusterList
	if err := host.Client.List(ctx, &members, client.InNamespace(host.Namespace)); err != nil {
		return fmt.Errorf("listing KubeFedClusters: %w", err)
	}
	var failed []string
	for i := range members.Items {
		member := &members.Items[i]
		changes := 0
		err := o.joinMember(ctx, hostConfig, member, join.Options{
			ClusterName: member.Name, DefaultHostClusterName: join.HostClusterName(hostContext), KubeFedNamespace: host.Namespace,
			Types: []fedcorev1beta1.FederatedTypeConfig{*added}, DryRun: o.DryRun,
			Say: func(line string) {
				note, amounts := strings.CutPrefix(line, member.Name+": ") // what the rights amount to
				switch {
				case strings.HasPrefix(line, "unchanged "):
				case amounts, strings.HasPrefix(line, "kept "):
					o.say(member.Name, note)
				default:
					changes++
					o.say(member.Name, line)
				}
			},
		})
		switch {
		case err != nil:
			o.say(member.Name, "not brought up to date: "+err.Error())
			failed = append(failed, member.Name)
		case changes == 0:
			o.say(member.Name, "up to date")
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d members lack the rights to %s: %s; run \"fedctl join NAME --cluster-context CONTEXT\" for each, where the member can be reached",
		len(failed), len(members.Items), added.Name, strings.Join(failed, ", "))
}

// warnOfGranting says which members have limits that a type undoes, before they get the rights
// to it. That the members cannot be listed is no failure, the type is enabled.
func (o *Options) warnOfGranting(ctx context.Context, host *enablement.Host, added *fedcorev1beta1.FederatedTypeConfig) {
	if !join.Grants(added) {
		return
	}
	const what = "warning: who writes %s can grant any right, which would undo --rbac=namespaces: "
	var members fedcorev1beta1.KubeFedClusterList
	if err := host.Client.List(ctx, &members, client.InNamespace(host.Namespace)); err != nil {
		_, _ = fmt.Fprintf(o.factory.ErrOut, what+"a member with such rights gets none to the type unless joined again with --allow-granting or --rbac=types; which there are could not be read: %v\n", added.Name, err)
		return
	}
	var limited []string
	for i := range members.Items {
		if members.Items[i].Annotations[reach.NamespaceRightsAnnotation] != "" {
			limited = append(limited, members.Items[i].Name)
		}
	}
	if len(limited) > 0 {
		_, _ = fmt.Fprintf(o.factory.ErrOut, what+"%s gets no rights to the type unless joined again with --allow-granting or --rbac=types\n",
			added.Name, strings.Join(limited, ", "))
	}
}

func (o *Options) say(member, line string) {
	_, _ = fmt.Fprintf(o.factory.Out, "%s: %s\n", member, line)
}

// errNoContext says that the kubeconfig does not lead to a member.
var errNoContext = errors.New("no context of the kubeconfig leads to it")

// joinMember looks for the context that leads to a member, and has it joined again.
func (o *Options) joinMember(ctx context.Context, host *rest.Config, member *fedcorev1beta1.KubeFedCluster, options join.Options) error {
	uid := reach.NotedUID(member)
	unreachable := errNoContext
	for _, name := range o.factory.ContextsFor(member.Name, member.Spec.APIEndpoint) {
		config, err := o.factory.ConfigFor(name)
		if err != nil {
			continue // another one may do
		}
		sameAddress := reach.SameEndpoint(config.Host, member.Spec.APIEndpoint)
		if !sameAddress && uid == "" {
			break // nothing tells whether it is the one
		}
		answers, err := join.Identify(ctx, config, name)
		switch {
		case err != nil && (sameAddress || name == member.Name):
			unreachable = err
		case err == nil && (answers == uid || sameAddress && (answers == "" || uid == "")):
			options.ClusterContext = name
			return join.Join(ctx, host, config, options)
		}
	}
	return unreachable
}
