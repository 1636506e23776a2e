package deletion

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// everything is a namespace with an object of each type that is enabled by default.
const everything = `
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedNamespace
metadata: {name: %[1]s, namespace: %[1]s}
spec: {placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedClusterRole
metadata: {name: %[1]s}
spec: {template: {rules: []}, placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedConfigMap
metadata: {name: it, namespace: %[1]s}
spec: {template: {data: {a: "1"}}, placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedSecret
metadata: {name: it, namespace: %[1]s}
spec: {template: {data: {a: eA==}}, placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedServiceAccount
metadata: {name: it, namespace: %[1]s}
spec: {template: {}, placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedService
metadata: {name: it, namespace: %[1]s}
spec: {template: {spec: {ports: [{port: 80}]}}, placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedIngress
metadata: {name: it, namespace: %[1]s}
spec: {template: {spec: {defaultBackend: {service: {name: it, port: {number: 80}}}}}, placement: {clusterSelector: {}}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedDeployment
metadata: {name: it, namespace: %[1]s}
spec:
  template: {spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, spec: {containers: [{name: c, image: x}]}}}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedReplicaSet
metadata: {name: it, namespace: %[1]s}
spec:
  template: {spec: {selector: {matchLabels: {app: b}}, template: {metadata: {labels: {app: b}}, spec: {containers: [{name: c, image: x}]}}}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedJob
metadata: {name: it, namespace: %[1]s}
spec:
  template: {spec: {suspend: true, template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}}
  placement: {clusterSelector: {}}
---
apiVersion: types.kubefed.io/v1beta1
kind: FederatedBackup
metadata: {name: it, namespace: %[1]s}
spec: {template: {spec: {schedule: "0 1 * * *", suspend: true, repositoryRef: {name: none}}}, placement: {clusterSelector: {}}}
`

// full is such a namespace, and how it goes.
type full struct {
	name                          string
	namespace, federatedNamespace *unstructured.Unstructured
	objects                       []*unstructured.Unstructured
	way                           way
	orphans                       orphans
}

// way is an order in which the host's objects are deleted.
type way string

const (
	objectsFirst            way = "objects first"
	namespaceFirst          way = "namespace first"
	federatedNamespaceFirst way = "FederatedNamespace first"
)

// orphans are what carries the annotation that leaves the members' objects where they are.
type orphans string

const (
	nothing  orphans = "nothing is orphaned"
	contents orphans = "the contents are orphaned"
	all      orphans = "everything is orphaned"
)

func newFull(ctx context.Context, w way, o orphans) (*full, error) {
	f := &full{name: "w" + rand.String(6), way: w, orphans: o}
	manifests, err := framework.ParseYAML(fmt.Sprintf(everything, f.name))
	if err != nil {
		return nil, err
	}
	f.namespace, f.federatedNamespace, f.objects = manifests[0], manifests[1], manifests[2:]
	orphan := map[string]string{"kubefed.io/orphan": "true"}
	if o == all {
		f.federatedNamespace.SetAnnotations(orphan)
	}
	for _, object := range f.objects {
		if o != nothing {
			object.SetAnnotations(orphan)
		}
	}
	for _, object := range manifests {
		if err := host.Create(ctx, object.DeepCopy()); err != nil {
			return nil, fmt.Errorf("%s: %w", object.GetKind(), err)
		}
	}
	return f, nil
}

func (f *full) String() string { return fmt.Sprintf("%s (%s, %s)", f.name, f.way, f.orphans) }

// remove deletes the host's objects, and waits for what comes first before the rest goes.
func (f *full) remove(ctx context.Context) error {
	first := map[way][]*unstructured.Unstructured{
		objectsFirst: f.objects, namespaceFirst: {f.namespace}, federatedNamespaceFirst: {f.federatedNamespace},
	}[f.way]
	if err := drop(ctx, host, first...); err != nil {
		return err
	}
	for _, object := range first {
		for deadline := time.Now().Add(namespacesEnd); ; {
			u, err := read(ctx, host, object)
			if isGone(err) {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s: %s is still there: %v %v", f, object.GetKind(), u.GetFinalizers(), u.Object["status"])
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return drop(ctx, host, append(f.objects, f.federatedNamespace, f.namespace)...)
}

// expectEnd says that nothing is left in the host, and in the members what is to stay there.
func (f *full) expectEnd(ctx context.Context) {
	GinkgoHelper()
	for _, object := range append(f.objects, f.federatedNamespace, f.namespace) {
		Eventually(ctx, func(g Gomega) {
			u, err := read(ctx, host, object)
			g.Expect(isGone(err)).To(BeTrue(), "%s: %s is still there: %v, %v", f, object.GetKind(), u.GetFinalizers(), u.Object["status"])
		}).WithTimeout(namespacesEnd).Should(Succeed())
	}
	config := &unstructured.Unstructured{}
	config.SetAPIVersion("v1")
	config.SetKind("ConfigMap")
	config.SetNamespace(f.name)
	config.SetName("it")
	for _, c := range members {
		Eventually(ctx, func(g Gomega) {
			namespace, err := read(ctx, c, f.namespace)
			if f.orphans != all {
				g.Expect(isGone(err)).To(BeTrue(), "%s: the namespace is still in %s", f, c.Name)
				return
			}
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(namespace.GetLabels()).NotTo(HaveKey(managed))
			inside, err := read(ctx, c, config)
			if f.way == federatedNamespaceFirst { // which took what was in it out of the placement
				g.Expect(isGone(err)).To(BeTrue(), "%s: the contents are still in %s", f, c.Name)
				return
			}
			g.Expect(err).NotTo(HaveOccurred(), "%s: %s", f, c.Name)
			g.Expect(inside.GetLabels()).NotTo(HaveKey(managed))
		}).WithTimeout(namespacesEnd).Should(Succeed())
	}
}

var _ = Describe("With the host as a member, deletions end", Ordered, Serial, func() {
	BeforeAll(func(ctx SpecContext) {
		allowAll(ctx, host)
		Expect(system.Join(ctx, host.Name)).To(Succeed())
		Expect(system.WaitForMember(ctx, host.Name, true)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { fedctl(ctx, "unjoin", host.Name) }, NodeTimeout(time.Minute))
	}, NodeTimeout(2*time.Minute))

	It("for every default type, whatever goes first and whatever is orphaned", func(ctx SpecContext) {
		var every []*full
		for _, w := range []way{objectsFirst, namespaceFirst, federatedNamespaceFirst} {
			for _, o := range []orphans{nothing, contents, all} {
				f, err := newFull(ctx, w, o)
				Expect(err).NotTo(HaveOccurred())
				every = append(every, f)
			}
		}
		for _, f := range every {
			for _, object := range append(f.objects, f.federatedNamespace) {
				expectEverywhere(ctx, object)
			}
		}
		eachOf(every, func(f *full) error { return f.remove(ctx) })
		for _, f := range every {
			f.expectEnd(ctx)
		}
	}, NodeTimeout(10*time.Minute))

	It("in orders of two steps", func(ctx SpecContext) {
		worlds := walk(ctx, []int{2, 4}, clusters(), func() {})
		expectEnded(ctx, worlds)
		finish(ctx, worlds)
		expectGone(ctx, worlds)
		expectUnmanaged(ctx, worlds, members...)
	}, NodeTimeout(10*time.Minute))
})
