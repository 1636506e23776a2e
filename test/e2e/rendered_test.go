package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	rendering "github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// renderedItem is what "fedctl render -o json" says of one object in one cluster.
type renderedItem struct {
	Cluster string          `json:"cluster"`
	Object  json.RawMessage `json:"object"`
	Error   string          `json:"error"`
}

// hash is that of the bytes that are sent, as the status keeps it.
func (i *renderedItem) hash() string {
	var object any
	Expect(json.Unmarshal(i.Object, &object)).To(Succeed())
	data, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	sum := sha256.Sum256([]byte(strings.ReplaceAll(string(data), "\x7f", `\u007f`))) // JSON that is YAML as well
	return hex.EncodeToString(sum[:8])
}

// writeObjects writes objects to a file, as "kubectl get -o json" does.
func writeObjects(path string, objects []unstructured.Unstructured) {
	GinkgoHelper()
	data, err := json.Marshal(fields{"apiVersion": "v1", "kind": "List", "items": objects})
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(path, data, 0o600)).To(Succeed())
}

// federatedIn are the federated objects of some kinds in a namespace.
func federatedIn(ctx context.Context, g Gomega, namespace string, kinds []string) []unstructured.Unstructured {
	var all []unstructured.Unstructured
	for _, kind := range kinds {
		items := &unstructured.UnstructuredList{}
		items.SetAPIVersion("types.kubefed.io/v1beta1")
		items.SetKind("Federated" + kind + "List")
		g.Expect(host.List(ctx, items, client.InNamespace(namespace))).To(Succeed())
		all = append(all, items.Items...)
	}
	return all
}

var _ = Describe("What fedctl renders", localOnly, Serial, func() {
	It("is byte for byte what the controller applied, for objects, policies and nodes at random", func(ctx SpecContext) {
		const objects = 500
		r := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 17))
		By(fmt.Sprintf("seed %d", GinkgoRandomSeed()))
		ns := federatedNamespace(ctx)
		for i := range 6 {
			pool := wildPools[r.IntN(len(wildPools))]
			gpuNode(ctx, members[i%2], "random-"+string(rune('a'+i)), pool.product, pool.offers, pool.taints...)
		}
		devices := nodeWithDevices(ctx, members[0], corev1.Taint{Key: "dedicated", Value: "gpuGroup", Effect: corev1.TaintEffectNoSchedule})
		Eventually(ctx, pools(ctx, members[0], clusterv1alpha1.DeviceClassPrefix+deviceClass, "Imagined-1")).Should(HaveLen(1), devices.Name)
		gen := &randomWorld{Rand: r, clusters: []string{members[0].Name, members[1].Name}}
		for i := range 6 {
			namespace := ns
			if i < 2 {
				namespace = ""
			}
			policy(ctx, namespace, "random-"+ns+"-"+string(rune('a'+i)), gen.policy(ns, i))
		}
		used := map[string]bool{}
		for i := range objects {
			f := gen.object(ns, i).on(members[:1+r.IntN(2)]...)
			used[strings.TrimPrefix(f.GetKind(), "Federated")] = true
			create(ctx, f)
		}
		var kinds []string
		for kind := range used {
			kinds = append(kinds, kind)
		}

		dir := GinkgoT().TempDir()
		manifests, facts := filepath.Join(dir, "objects.json"), filepath.Join(dir, "facts.yaml")
		Eventually(ctx, func(g Gomega) {
			there := federatedIn(ctx, g, ns, kinds)
			g.Expect(there).To(HaveLen(objects))
			writeObjects(manifests, there)
			g.Expect(os.WriteFile(facts, []byte(fedctl(ctx, "get", "facts", "-o", "yaml")), 0o600)).To(Succeed())
			out, _ := system.Run(ctx, "render", "-f", manifests, "--facts", facts, "-o", "json") // it fails for those that have errors, too
			var printed struct{ Items []renderedItem }
			g.Expect(json.Unmarshal([]byte(out), &printed)).To(Succeed())
			compareRendered(g, there, printed.Items)
		}).WithTimeout(10 * time.Minute).WithPolling(5 * time.Second).Should(Succeed())

		By("and the members hold it")
		out, _ := system.Run(ctx, "render", "-f", manifests, "--facts", facts, "-o", "json")
		var printed struct{ Items []renderedItem }
		Expect(json.Unmarshal([]byte(out), &printed)).To(Succeed())
		forDevices := 0
		byName := map[string]*framework.Cluster{members[0].Name: members[0], members[1].Name: members[1]}
		for i := range printed.Items {
			item := &printed.Items[i]
			if item.Error != "" {
				continue
			}
			if claims, tolerates := strings.Contains(string(item.Object), `"resourceClaims"`), strings.Contains(string(item.Object), `"gpuGroup"`); claims && tolerates {
				forDevices++
			}
			sent := &unstructured.Unstructured{}
			Expect(sent.UnmarshalJSON(item.Object)).To(Succeed())
			live := sent.DeepCopy()
			Expect(byName[item.Cluster].Get(ctx, client.ObjectKeyFromObject(sent), live)).To(Succeed())
			Expect(rendering.Holds(live.Object, sent.Object)).To(BeTrue(), "%s %s in %s: %s, of which the member has %s",
				sent.GetKind(), sent.GetName(), item.Cluster, asJSON(sent.Object), asJSON(live.Object))
		}
		Expect(forDevices).NotTo(BeZero(), "nothing is derived for pods that claim devices")
	}, SpecTimeout(20*time.Minute))
})

// compareRendered holds what is printed against what the statuses say was applied.
func compareRendered(g Gomega, there []unstructured.Unstructured, printed []renderedItem) {
	type place struct{ kind, name, cluster string }
	applied, failed := map[place]string{}, 0
	for i := range there {
		u := &there[i]
		observed, _, _ := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
		g.Expect(observed).To(Equal(u.GetGeneration()))
		clusters, _, _ := unstructured.NestedSlice(u.Object, "status", "clusters")
		for _, item := range clusters {
			c := item.(fields)                             //nolint:forcetypeassert // the schema says so
			name, said := c["name"].(string), c["version"] //nolint:forcetypeassert // the schema says so
			p := place{strings.TrimPrefix(u.GetKind(), "Federated"), u.GetName(), name}
			if c["status"] == "ApplyOverridesFailed" {
				failed++
				message, _ := c["message"].(string)
				applied[p] = "failed: " + message
				continue
			}
			g.Expect(c["status"]).To(BeNil(), "%v: %v", p, c["message"])
			version, _ := said.(string)
			applied[p], _, _ = strings.Cut(version, ".")
		}
	}
	errors := 0
	rendered := map[place]string{}
	for i := range printed {
		item := &printed[i]
		if item.Error != "" {
			errors++
			continue
		}
		object := &unstructured.Unstructured{}
		g.Expect(json.Unmarshal(item.Object, &object.Object)).To(Succeed())
		p := place{object.GetKind(), object.GetName(), item.Cluster}
		rendered[p] = item.hash()
		g.Expect(applied[p]).To(Equal(rendered[p]), "%v", p)
	}
	g.Expect(errors).To(Equal(failed), "what cannot be rendered is what the controller could not send")
	g.Expect(len(rendered)+errors).To(Equal(len(applied)), "each cluster of each object")
	g.Expect(len(rendered)).To(BeNumerically(">", len(there)/2))
}
