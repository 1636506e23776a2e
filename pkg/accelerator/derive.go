package accelerator

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcehelpers "k8s.io/component-helpers/resource"

	"github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
)

// Requested is what a pod asks of each accelerator: the most that runs at once of it,
// as the scheduler counts. Accelerators of which it asks for 0 are not in it: such a pod
// needs no hardware.
func Requested(pod corev1.PodSpec) map[string]int64 {
	asking := corev1.Pod{Spec: corev1.PodSpec{InitContainers: accelerated(pod.InitContainers), Containers: accelerated(pod.Containers)}}
	if asking.Spec.InitContainers == nil && asking.Spec.Containers == nil {
		return map[string]int64{}
	}
	requested := map[string]int64{}
	for name, quantity := range resourcehelpers.PodRequests(&asking, resourcehelpers.PodResourcesOptions{}) {
		requested[string(name)] = Amount(string(name), quantity)
	}
	return requested
}

// accelerated are containers with nothing but the accelerators that they ask for; nil if
// none asks for any. A limit without a request is the request, as the API server defaults it.
func accelerated(containers []corev1.Container) []corev1.Container {
	asking := make([]corev1.Container, len(containers))
	asked := false
	for i := range containers {
		requests := corev1.ResourceList{}
		for _, list := range []corev1.ResourceList{containers[i].Resources.Limits, containers[i].Resources.Requests} {
			for name, quantity := range list {
				if (IsAccelerator(string(name)) || IsDevice(string(name))) && quantity.Sign() > 0 {
					requests[name] = quantity
				}
			}
		}
		asking[i] = corev1.Container{RestartPolicy: containers[i].RestartPolicy, Resources: corev1.ResourceRequirements{Requests: requests}}
		asked = asked || len(requests) > 0
	}
	if !asked {
		return nil
	}
	return asking
}

// AnyDevice is what a pod asks for that has ResourceClaims: a device of some DeviceClass. Which
// one, its claims say, which are other objects; a toleration permits and does not attract, and
// the scheduler puts the pod where it can allocate what it claims.
const AnyDevice = v1alpha1.DeviceClassPrefix + "*"

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
	var closed []v1alpha1.Pool
	for i := range pools {
		asked := requested[pools[i].Resource]
		if IsDevice(pools[i].Resource) {
			asked = max(asked, requested[AnyDevice])
		}
		if asked <= 0 {
			continue
		}
		tolerations, blocking := tolerationsOf(&pools[i], approvals)
		if len(blocking) > 0 {
			closed = append(closed, pools[i]) // also one whose nodes offer nothing yet
		}
		if pools[i].LargestNode.CmpInt64(asked) < 0 {
			continue
		}
		if len(blocking) > 0 {
			d.Blocked = append(d.Blocked, pools[i])
			continue
		}
		d.Open = append(d.Open, pools[i])
		d.Tolerations = append(d.Tolerations, tolerations...)
	}
	for i := range d.Open {
		for _, taint := range d.Open[i].Taints {
			narrow(d.Tolerations, taint, closed)
		}
	}
	d.Tolerations = MergeTolerations(nil, d.Tolerations)
	return d
}

// narrow has tolerations of a hardware taint be for its value alone where that Exists would let
// pods into a closed pool as well: one that is somebody's, by another value of the same key.
// Its nodes may offer too little now: their plugin may be starting, and nobody evicts a pod
// that was let in meanwhile.
func narrow(tolerations []corev1.Toleration, taint v1alpha1.PoolTaint, closed []v1alpha1.Pool) {
	if taint.Meaning != v1alpha1.TaintHardware || !slices.ContainsFunc(closed, func(p v1alpha1.Pool) bool {
		return slices.ContainsFunc(p.Taints, func(t v1alpha1.PoolTaint) bool {
			return t.Meaning == v1alpha1.TaintRestricted && t.Key == taint.Key && t.Effect == taint.Effect
		})
	}) {
		return
	}
	i := slices.IndexFunc(tolerations, func(t corev1.Toleration) bool {
		return t.Key == taint.Key && t.Effect == taint.Effect && t.Operator == corev1.TolerationOpExists
	})
	if i >= 0 { // there is one for each taint of an open pool
		tolerations[i].Operator, tolerations[i].Value = corev1.TolerationOpEqual, taint.Value
	}
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
			i := slices.IndexFunc(approvals, func(a Approval) bool { return Opens(a, taint) })
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

// Opens says whether an approval is for a taint. It is for nothing when key or effect are
// missing: a toleration without them would open all.
func Opens(a Approval, taint v1alpha1.PoolTaint) bool {
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
