package workload

import (
	"slices"
	"strings"
)

// stuck are the reasons for which a container waits and does not help itself.
//
// Source: k8s.io/kubernetes/pkg/kubelet (images/types.go, container/sync_result.go,
// kuberuntime/kuberuntime_container.go).
var stuck = []string{
	"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
}

// judgePod does what kstatus does, but without a clock: a pod that no node takes is
// progressing. One that has failed is Degraded, which kstatus says of none.
func judgePod(object map[string]any) Health {
	phase, _ := at(object, "status.phase").(string)
	switch phase {
	case "Succeeded":
		return Health{Status: Healthy}
	case "Failed":
		return Health{Degraded, textOf(at(object, "status.reason"), at(object, "status.message"), "the pod has failed")}
	}
	if why := stuckContainers(object); why != "" {
		return Health{Degraded, why}
	}
	if phase == "Running" && trueCondition(object, "Ready") != nil {
		return Health{Status: Healthy}
	}
	return Health{Progressing, "the pod is not ready"}
}

// stuckContainers names the containers that wait for what does not come by itself.
func stuckContainers(object map[string]any) string {
	var names []string
	for _, field := range []string{"status.initContainerStatuses", "status.containerStatuses"} {
		list, _ := at(object, field).([]any)
		for _, raw := range list {
			container, _ := raw.(map[string]any)
			reason, _ := at(container, "state.waiting.reason").(string)
			if name, _ := container["name"].(string); slices.Contains(stuck, reason) {
				names = append(names, name+": "+reason)
			}
		}
	}
	return strings.Join(names, ", ")
}

// textOf joins the texts that there are, and is otherwise if there are none.
func textOf(reason, message any, otherwise string) string {
	first, _ := reason.(string)
	second, _ := message.(string)
	switch {
	case first != "" && second != "":
		return first + ": " + second
	case first+second != "":
		return first + second
	}
	return otherwise
}
