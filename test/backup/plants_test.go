package backup

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/test/e2e/framework"
)

// plants are secrets that a spec has put where they belong, each by the mistake that was
// made with it, and is to find nowhere else.
type plants map[string]string

// text is a secret of letters and figures.
func (p plants) text(mistake string) string {
	planted := fmt.Sprintf("Pl4nted%02dSecret", len(p))
	p[planted] = mistake
	return planted
}

// number is a secret of figures.
func (p plants) number(mistake string) int64 {
	planted := int64(48151623420000 + len(p))
	p[fmt.Sprint(planted)] = mistake
	return planted
}

// forms are how a secret can be written: as it is, as its bytes, and within what is
// encoded, where it depends on how much comes before it.
func forms(planted string) []string {
	raw := fmt.Sprintf("%d", []byte(planted))
	all := []string{planted, strings.ToLower(planted), hex.EncodeToString([]byte(planted)), raw[1 : len(raw)-1]}
	for before := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + planted))
		all = append(all, encoded[(before*8+5)/6:len(encoded)-1]) // without what its neighbours are part of
	}
	return all
}

// in says which mistakes a text tells the secrets of, and where.
func (p plants) in(text, where string) (found []string) {
	for planted, mistake := range p {
		for _, form := range forms(planted) {
			if at := strings.Index(text, form); at >= 0 {
				found = append(found, fmt.Sprintf("%s: in %s: %s", mistake, where, text[max(0, at-300):min(len(text), at+100)]))
				break
			}
		}
	}
	return found
}

// inCluster looks at all objects of a cluster: not at what users have written into a
// spec, nor at the data of Secrets.
func (p plants) inCluster(ctx context.Context, c *framework.Cluster) (found []string) {
	GinkgoHelper()
	finder, err := discovery.NewDiscoveryClientForConfig(c.Config)
	Expect(err).NotTo(HaveOccurred())
	resources, err := finder.ServerPreferredResources()
	Expect(err).NotTo(HaveOccurred())
	reader, err := dynamic.NewForConfig(c.Config)
	Expect(err).NotTo(HaveOccurred())
	objects := 0
	for _, group := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, resources) {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for i := range group.APIResources {
			list, err := reader.Resource(version.WithResource(group.APIResources[i].Name)).List(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred())
			objects += len(list.Items)
			for j := range list.Items {
				found = append(found, p.inObject(&list.Items[j], c.Name)...)
			}
		}
	}
	Expect(objects).To(BeNumerically(">", 100), "what has been looked at in %s", c.Name)
	return found
}

func (p plants) inObject(u *unstructured.Unstructured, cluster string) []string {
	GinkgoHelper()
	delete(u.Object, "spec")
	if u.GetKind() == "Secret" {
		delete(u.Object, "data")
	}
	raw, err := json.Marshal(u.Object)
	Expect(err).NotTo(HaveOccurred())
	return p.in(string(raw), fmt.Sprintf("%s %s/%s of %s", u.GetKind(), u.GetNamespace(), u.GetName(), cluster))
}
