package accelerator

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Requested is what a pod asks of each accelerator: the most that runs at once of it,
// as the scheduler counts (sidecars beside containers, other init containers alone).
// Accelerators of which it asks for 0 are not in it: such a pod needs no hardware.
func Requested(pod corev1.PodSpec) map[string]int64 {
	running, starting := map[string]int64{}, map[string]int64{}
	for i := range pod.InitContainers {
		container := &pod.InitContainers[i]
		asked := accelerators(container.Resources)
		if container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(running, asked)
			continue
		}
		// An init container runs beside the sidecars that started before it.
		add(asked, running)
		for name, amount := range asked {
			starting[name] = max(starting[name], amount)
		}
	}
	for i := range pod.Containers {
		add(running, accelerators(pod.Containers[i].Resources))
	}
	for name, amount := range starting {
		running[name] = max(running[name], amount)
	}
	return running
}

func add(sum, more map[string]int64) {
	for name, amount := range more {
		sum[name] += amount
	}
}

// accelerators of a container. A limit without a request is the request, as the API
// server defaults it.
func accelerators(of corev1.ResourceRequirements) map[string]int64 {
	asked := map[string]int64{}
	for _, list := range []corev1.ResourceList{of.Limits, of.Requests} {
		for name, quantity := range list {
			if IsAccelerator(string(name)) && quantity.Sign() > 0 {
				asked[string(name)] = quantity.Value()
			}
		}
	}
	return asked
}

// Derivation is what pods that ask for accelerators need in one cluster.
type Derivation struct {
	// Tolerations open all Open pools to them; none of them is of another pod's making.
	Tolerations []corev1.Toleration
	// Open and Blocked are the pools that offer enough on one node, by whether the pod can
	// get in. A pod needs one of Open.
	Open, Blocked []Pool
}

// Derive finds the pools that fit pods which ask for these amounts, and the tolerations
// that open them. A pool fits when one of its nodes offers enough, free or not: what is
// free is the scheduler's affair. A pod that asks for several resources is let into the
// pools of each. It derives nothing for pods that ask for none.
func Derive(requested map[string]int64, pools []Pool) Derivation {
	var d Derivation
	for _, pool := range pools {
		if requested[pool.Resource] <= 0 || pool.Nodes == 0 {
			continue
		}
		if !pool.Open() {
			d.Blocked = append(d.Blocked, pool)
			continue
		}
		d.Open = append(d.Open, pool)
		d.Tolerations = append(d.Tolerations, pool.Tolerations...)
	}
	d.Tolerations = MergeTolerations(nil, d.Tolerations)
	return d
}

// MergeTolerations adds to a pod's own tolerations those of more that it lacks, in the
// order of their keys; what a pod has is neither changed nor moved. Two are the same when
// key, operator, value and effect are.
func MergeTolerations(own, more []corev1.Toleration) []corev1.Toleration {
	merged := slices.Clone(own)
	more = slices.Clone(more)
	slices.SortFunc(more, compareTolerations)
	for _, toleration := range more {
		if !slices.ContainsFunc(merged, func(has corev1.Toleration) bool { return compareTolerations(has, toleration) == 0 }) {
			merged = append(merged, toleration)
		}
	}
	return merged
}

func compareTolerations(a, b corev1.Toleration) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(operatorOf(a), operatorOf(b)), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Effect, b.Effect))
}

// operatorOf a toleration: an empty one means Equal.
func operatorOf(t corev1.Toleration) corev1.TolerationOperator {
	return cmp.Or(t.Operator, corev1.TolerationOpEqual)
}
