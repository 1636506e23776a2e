package accelerator

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
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
			sum(running, asked)
			continue
		}
		// An init container runs beside the sidecars that started before it.
		sum(asked, running)
		for name, amount := range asked {
			starting[name] = max(starting[name], amount)
		}
	}
	for i := range pod.Containers {
		sum(running, accelerators(pod.Containers[i].Resources))
	}
	for name, amount := range starting {
		running[name] = max(running[name], amount)
	}
	return running
}

func sum(into, more map[string]int64) {
	for name, amount := range more {
		into[name] += amount
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
	Open, Blocked []v1alpha1.Pool
}

// Approval opens what a taint closes and no hardware explains: a tenant's pool, spot
// capacity, another architecture.
type Approval = policyv1alpha1.TaintApproval

// Derive finds the pools that fit pods which ask for these amounts, and the tolerations
// that open them: for a taint that marks hardware one that Exists, for one that is approved
// one of its value alone, where that is fixed. A pool that has another taint is closed. A
// pool fits when one of its nodes offers enough, free or not: what is free is the
// scheduler's affair. A pod that asks for several resources is let into the pools of each.
// It derives nothing for pods that ask for none.
func Derive(requested map[string]int64, pools []v1alpha1.Pool, approvals []Approval) Derivation {
	var d Derivation
	for i := range pools {
		asked := requested[pools[i].Resource]
		if asked <= 0 || pools[i].LargestNode < asked {
			continue
		}
		tolerations, blocking := tolerationsOf(&pools[i], approvals)
		if len(blocking) > 0 {
			d.Blocked = append(d.Blocked, pools[i])
			continue
		}
		d.Open = append(d.Open, pools[i])
		d.Tolerations = append(d.Tolerations, tolerations...)
	}
	d.Tolerations = MergeTolerations(nil, d.Tolerations)
	return d
}

// Blocking are the taints that keep pods out of a pool until a person approves them.
func Blocking(pool *v1alpha1.Pool, approvals []Approval) []v1alpha1.PoolTaint {
	_, blocking := tolerationsOf(pool, approvals)
	return blocking
}

func tolerationsOf(pool *v1alpha1.Pool, approvals []Approval) (tolerations []corev1.Toleration, blocking []v1alpha1.PoolTaint) {
	for _, taint := range pool.Taints {
		switch taint.Meaning {
		case v1alpha1.TaintPreferred:
		case v1alpha1.TaintHardware:
			tolerations = append(tolerations, corev1.Toleration{Key: taint.Key, Operator: corev1.TolerationOpExists, Effect: taint.Effect})
		default:
			i := slices.IndexFunc(approvals, func(a Approval) bool { return opens(a, taint) })
			if i < 0 {
				blocking = append(blocking, taint)
				continue
			}
			toleration := corev1.Toleration{Key: taint.Key, Operator: corev1.TolerationOpEqual, Value: taint.Value, Effect: taint.Effect}
			if approvals[i].AnyValue {
				toleration.Operator, toleration.Value = corev1.TolerationOpExists, ""
			}
			tolerations = append(tolerations, toleration)
		}
	}
	return tolerations, blocking
}

// opens nothing when key or effect are missing: a toleration without them would open all.
func opens(a Approval, taint v1alpha1.PoolTaint) bool {
	return a.Key != "" && a.Effect != "" && a.Key == taint.Key && a.Effect == taint.Effect && (a.AnyValue || a.Value == taint.Value)
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
