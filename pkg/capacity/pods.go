package capacity

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unique"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	resourcehelpers "k8s.io/component-helpers/resource"

	"github.com/fedctl/fedctl/pkg/accelerator"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// podsWithRequests selects, in the member's API server, the pods that hold what they have
// asked for: those that are on a node and have not ended.
const podsWithRequests = "spec.nodeName!=,status.phase!=Succeeded,status.phase!=Failed"

// pod is what is kept of a pod: its node, and what it asks for, as words. Pods of one node
// share the first and most pods of one workload the second, so that neither is held twice.
type pod struct {
	node, asks unique.Handle[string]
}

// podOf takes what is kept of a pod.
func podOf(obj metav1.Object) (*pod, error) {
	p, ok := obj.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("a pod is a %T", obj)
	}
	// As the scheduler counts: sidecars, pod-level resources and overhead, and of a pod that
	// is being resized the greater of what it has and what it wants.
	amounts := amountsOf(resourcehelpers.PodRequests(p, resourcehelpers.PodResourcesOptions{
		UseStatusResources: true, InPlacePodLevelResourcesVerticalScalingEnabled: true, UseDRANodeAllocatableResourceClaimStatus: true,
	}))
	amounts[string(corev1.ResourcePods)] = 1
	return &pod{node: unique.Make(errtext.Bounded(p.Spec.NodeName, mostOfKey)), asks: unique.Make(wordsOf(amounts))}, nil
}

// wordsOf amounts, such as "cpu=100 pods=1".
func wordsOf(amounts map[string]int64) string {
	words := make([]string, 0, len(amounts))
	for _, name := range slices.Sorted(maps.Keys(amounts)) {
		words = append(words, name+"="+strconv.FormatInt(amounts[name], 10))
	}
	return strings.Join(words, " ")
}

// usage is what the pods of each node ask for together.
type usage struct {
	mu    sync.Mutex
	nodes accelerator.Requests
}

// moved takes in that one of two states of a pod, either may be nil, is another now.
func (u *usage) moved(before, after *pod) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.add(before, -1)
	u.add(after, 1)
}

// add counts a pod times so often. The caller holds mu.
func (u *usage) add(p *pod, times int64) {
	if p == nil {
		return
	}
	name := p.node.Value()
	node := u.nodes[name]
	if node == nil {
		node = map[string]int64{}
		u.nodes[name] = node
	}
	for word := range strings.SplitSeq(p.asks.Value(), " ") {
		resource, amount, _ := strings.Cut(word, "=")
		n, _ := strconv.ParseInt(amount, 10, 64) // wordsOf has written it
		if node[resource] += n * times; node[resource] == 0 {
			delete(node, resource)
		}
	}
	if len(node) == 0 {
		delete(u.nodes, name)
	}
}

// read calls with what the pods ask for, which stays as it is until then.
func (u *usage) read(with func(accelerator.Requests)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	with(u.nodes)
}
