package autoscaler

import "github.com/fedctl/fedctl/pkg/federate"

// Recall decides by what the status of a federated object says of a cluster, for who does not
// see the cluster: what there was counts as there.
func Recall(said federate.Autoscaling, template *int64, back bool) Decision {
	in := Input{Before: said, Template: template, There: true, Back: back}
	if said.RequestsBy != "" {
		in.Requests = []string{said.RequestsBy}
	}
	switch said.Replicas {
	case federate.ReplicasAutoscaled:
		in.Replicas = []string{said.By}
	case federate.ReplicasUnreadable:
		in.Unreadable, in.Scaled = said.Message, true
	case federate.ReplicasKept:
	}
	return Decide(in)
}
