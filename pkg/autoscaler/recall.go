package autoscaler

import "github.com/fedctl/fedctl/pkg/federate"

// Recall decides by what the status of a federated object says of a cluster, for who does not
// see the cluster: what there was counts as there.
func Recall(said federate.Autoscaling, template *int64, back bool) Decision {
	in := Input{Before: said, Template: template, There: true, Back: back}
	in.Unreadable = said.Message
	if said.RequestsBy != "" {
		in.Requests = []string{said.RequestsBy}
	}
	switch {
	case said.Replicas == federate.ReplicasAutoscaled && said.Message == "":
		in.Replicas = []string{said.By}
	case said.Replicas == federate.ReplicasUnreadable:
		in.Scaled = true
	}
	return Decide(in)
}
