package disable

import (
	"context"
	"fmt"
	"io"

	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// sayRights says how the members take back the rights to a type with which any right can be
// granted: they have them until they are joined again. That the members cannot be listed is
// no failure, the type is disabled.
func (o *Options) sayRights(ctx context.Context, host *enablement.Host, config *fedcorev1beta1.FederatedTypeConfig) {
	if !join.Grants(config) {
		return
	}
	var members fedcorev1beta1.KubeFedClusterList
	if err := host.Client.List(ctx, &members, client.InNamespace(host.Namespace)); err != nil {
		_, _ = fmt.Fprintf(host.Out, "warning: the members keep the rights to grant that %s needs until each is joined again (fedctl join NAME); which there are could not be read: %v\n", config.Name, err)
		return
	}
	commands := make([]string, len(members.Items))
	for i := range members.Items {
		commands[i] = o.factory.JoinCommand(members.Items[i].Name, members.Items[i].Spec.APIEndpoint)
	}
	printRights(host.Out, config.Name, commands)
}

func printRights(out io.Writer, name string, commands []string) {
	if len(commands) == 0 {
		return
	}
	_, _ = fmt.Fprintf(out, "\nwarning: in each member the controller may go on to grant any right, which %s needed. Join each again to take that away:\n", name)
	for _, command := range commands {
		_, _ = fmt.Fprintf(out, "  %s\n", command)
	}
}
