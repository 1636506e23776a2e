package fleetapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/test/e2e/framework"
	"github.com/fedctl/fedctl/test/kit"
)

// warned keeps the warnings of answers.
type warned struct{ lines []string }

func (w *warned) HandleWarningHeader(_ int, _, text string) { w.lines = append(w.lines, text) }

// everywhere is a client of all members, and what it is warned of.
func everywhere(config *rest.Config) (*kubernetes.Clientset, *warned) {
	w := &warned{}
	config = through(config, fleetv1alpha1.AllClusters)
	config.WarningHandler = w
	return clientOf(config), w
}

// labelled makes ConfigMaps in a member that bear the label, until the spec ends.
func labelled(ctx context.Context, member *framework.Cluster, label string, names ...string) {
	GinkgoHelper()
	for _, name := range names {
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"all": label}}}
		Expect(member.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) {
			err := member.Delete(ctx, object)
			Expect(err == nil || apierrors.IsNotFound(err)).To(BeTrue())
		}, NodeTimeout(time.Minute))
	}
}

// places are where objects are, as CLUSTER/NAME.
func places(items []corev1.ConfigMap) (found []string) {
	for i := range items {
		found = append(found, items[i].Annotations[union.AnnotationCluster]+"/"+items[i].Name)
	}
	return found
}

// getAll asks for a path in all members.
func getAll(ctx context.Context, config *rest.Config, path string) (answer, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return answer{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+proxyPath(fleetv1alpha1.AllClusters, path), nil)
	if err != nil {
		return answer{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	return answer{Code: response.StatusCode, Header: response.Header, Body: readAll(response.Body)}, nil
}

var _ = Describe("All members at once", func() {
	It("are listed with the cluster of each object, page by page as whole, and in tables", func(ctx SpecContext) {
		admin := administrator(ctx, "all-lister")
		labelled(ctx, members[0], "listed", "a", "b", "c")
		labelled(ctx, members[1], "listed", "b", "d")
		c, warnings := everywhere(admin)
		want := []string{"member-1/a", "member-1/b", "member-1/c", "member-2/b", "member-2/d"}
		whole, err := c.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{LabelSelector: "all=listed"})
		Expect(err).NotTo(HaveOccurred())
		Expect(places(whole.Items)).To(Equal(want))
		Expect(warnings.lines).To(BeEmpty())
		Expect(whole.Items[1].UID).NotTo(Equal(whole.Items[3].UID))

		for limit := range int64(6) {
			By(fmt.Sprintf("pages of %d", limit))
			var found []string
			options := metav1.ListOptions{LabelSelector: "all=listed", Limit: limit}
			for {
				page, err := c.CoreV1().ConfigMaps("default").List(ctx, options)
				Expect(err).NotTo(HaveOccurred())
				if limit > 0 {
					Expect(len(page.Items)).To(BeNumerically("<=", limit))
				}
				found = append(found, places(page.Items)...)
				if options.Continue = page.Continue; options.Continue == "" {
					break
				}
			}
			Expect(found).To(Equal(want))
		}

		out, err := kubectl(ctx, admin, fleetv1alpha1.AllClusters, "-n", "default", "get", "configmaps", "-l", "all=listed")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(strings.Fields(out)[:4]).To(Equal([]string{"CLUSTER", "NAME", "DATA", "AGE"}))
		Expect(out).To(MatchRegexp(`member-1 +c `))
		Expect(out).To(MatchRegexp(`member-2 +d `))
		out, err = kubectl(ctx, admin, fleetv1alpha1.AllClusters, "-n", "default", "get", "configmap", "d", "-o", "wide")
		Expect(err).NotTo(HaveOccurred(), out)
		Expect(out).To(MatchRegexp(`member-2 +d `))
		Expect(out).NotTo(ContainSubstring("member-1"))
		out, err = kubectl(ctx, admin, fleetv1alpha1.AllClusters, "-n", "default", "get", "configmap", "nosuch")
		Expect(err).To(HaveOccurred())
		Expect(out).To(ContainSubstring(`configmaps "nosuch" not found`))
	}, NodeTimeout(3*time.Minute))

	It("are paged at the versions of the first page, whatever changes meanwhile", func(ctx SpecContext) {
		admin := administrator(ctx, "all-pager")
		labelled(ctx, members[0], "paged", "a", "b")
		labelled(ctx, members[1], "paged", "c", "d")
		c, _ := everywhere(admin)
		options := metav1.ListOptions{LabelSelector: "all=paged", Limit: 1}
		page, err := c.CoreV1().ConfigMaps("default").List(ctx, options)
		Expect(err).NotTo(HaveOccurred())
		labelled(ctx, members[1], "paged", "late")
		Expect(members[1].Delete(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "c"}})).To(Succeed())
		found := places(page.Items)
		options.Limit = 2
		for options.Continue = page.Continue; options.Continue != ""; options.Continue = page.Continue {
			page, err = c.CoreV1().ConfigMaps("default").List(ctx, options)
			Expect(err).NotTo(HaveOccurred())
			found = append(found, places(page.Items)...)
		}
		Expect(found).To(Equal([]string{"member-1/a", "member-1/b", "member-2/c", "member-2/d"}))

		By("watching from there, which tells what has changed since")
		w, err := c.CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{LabelSelector: "all=paged", ResourceVersion: page.ResourceVersion})
		Expect(err).NotTo(HaveOccurred())
		defer w.Stop()
		Expect(next(ctx, w)).To(Equal("ADDED member-2/late"))
		Expect(next(ctx, w)).To(Equal("DELETED member-2/c"))
	}, NodeTimeout(3*time.Minute))

	It("are watched, from where a watch has ended", func(ctx SpecContext) {
		admin := administrator(ctx, "all-watcher")
		labelled(ctx, members[0], "watched", "a")
		labelled(ctx, members[1], "watched", "b")
		c, _ := everywhere(admin)
		w, err := c.CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{LabelSelector: "all=watched"})
		Expect(err).NotTo(HaveOccurred())
		Expect([]string{next(ctx, w), next(ctx, w)}).To(ConsistOf("ADDED member-1/a", "ADDED member-2/b"))
		labelled(ctx, members[1], "watched", "c")
		event := <-w.ResultChan()
		w.Stop()
		Expect(event.Object).To(HaveField("Name", "c"))
		version := event.Object.(*corev1.ConfigMap).ResourceVersion
		Expect(version).To(MatchRegexp(`^member-1=\d+,member-2=\d+$`))

		labelled(ctx, members[0], "watched", "d")
		w, err = c.CoreV1().ConfigMaps("default").Watch(ctx, metav1.ListOptions{LabelSelector: "all=watched", ResourceVersion: version})
		Expect(err).NotTo(HaveOccurred())
		defer w.Stop()
		Expect(next(ctx, w)).To(Equal("ADDED member-1/d"))
	}, NodeTimeout(3*time.Minute))

	It("are for each user those that the host lets him read, and the others are named", func(ctx SpecContext) {
		letThrough(ctx, user("all-half"), []string{"get"}, "member-1", fleetv1alpha1.AllClusters)
		for _, member := range members {
			allow(ctx, member, "read-of-all-half", user("all-half"), podReader)
		}
		c, warnings := everywhere(as("all-half"))
		var list *corev1.ConfigMapList
		Eventually(ctx, func() (err error) {
			list, err = c.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{})
			return err
		}).Should(Succeed())
		for _, place := range places(list.Items) {
			Expect(place).To(HavePrefix("member-1/"))
		}
		Expect(warnings.lines[len(warnings.lines)-1]).To(ContainSubstring("missing, since the host does not let you read them (get clusters/proxy), 1 in all: member-2"))

		By("with a token that names the other, and a version that does")
		admin, _ := everywhere(administrator(ctx, "all-tokens"))
		labelled(ctx, members[0], "token", "a")
		labelled(ctx, members[1], "token", "b")
		page, err := admin.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{LabelSelector: "all=token", Limit: 1})
		Expect(err).NotTo(HaveOccurred())
		Expect(page.Continue).NotTo(BeEmpty())
		list, err = c.CoreV1().ConfigMaps("default").List(ctx, metav1.ListOptions{LabelSelector: "all=token", Limit: 1, Continue: page.Continue})
		Expect(err == nil || apierrors.IsResourceExpired(err)).To(BeTrue(), "%v", err)
		if err == nil {
			Expect(list.Items).To(BeEmpty())
		}
	}, NodeTimeout(3*time.Minute))

	It("are read without one that hangs, which is named in time", func(ctx SpecContext) {
		admin := administrator(ctx, "all-patient")
		labelled(ctx, members[0], "patient", "a")
		labelled(ctx, members[1], "patient", "b")
		enlist(ctx, "hanging", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		const path = "/api/v1/namespaces/default/configmaps?labelSelector=all%3Dpatient&timeout=20s"
		begun := time.Now()
		got, err := getAll(ctx, admin, path)
		Expect(err).NotTo(HaveOccurred())
		Expect(time.Since(begun)).To(BeNumerically("<", 50*time.Second))
		Expect(got.Code).To(Equal(http.StatusOK), got.Body)
		Expect(got.Header["Warning"]).To(HaveLen(1))
		Expect(got.Header.Get("Warning")).To(ContainSubstring("cluster hanging is missing (TimedOut): it has not answered within 16s"))
		Expect(got.Body).To(And(ContainSubstring(`"name":"a"`), ContainSubstring(`"name":"b"`)))
		got, err = getAll(ctx, admin, path+"&clusters=member-1,member-2&require=all")
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Code).To(Equal(http.StatusOK), got.Body)
		Expect(got.Header["Warning"]).To(BeEmpty())
	}, NodeTimeout(5*time.Minute))

	It("are read only, by parameters that are known, and never in part without a word", func(ctx SpecContext) {
		admin := administrator(ctx, "all-attacker")
		c, _ := everywhere(admin)
		err := errOf(c.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "x"}}, metav1.CreateOptions{}))
		Expect(apierrors.IsMethodNotSupported(err)).To(BeTrue(), "%v", err)
		for path, code := range map[string]int{
			"/api/v1/configmaps?cluster=member-1":                     http.StatusBadRequest,
			"/api/v1/configmaps?require=some":                         http.StatusBadRequest,
			"/api/v1/configmaps?limit=-1":                             http.StatusBadRequest,
			"/api/v1/configmaps?continue=x":                           http.StatusBadRequest,
			"/api/v1/configmaps?resourceVersion=12":                   http.StatusBadRequest,
			"/api/v1/configmaps?clusters=../member-1":                 http.StatusBadRequest,
			"/api/v1/namespaces/default/pods/x/log":                   http.StatusBadRequest,
			"/api/v1/namespaces/default/pods/x/exec?command=sh":       http.StatusBadRequest,
			"/api/v1/watch/pods":                                      http.StatusBadRequest,
			"/api/v1/configmaps?clusters=nosuch":                      http.StatusServiceUnavailable,
			"/api/v1/configmaps?clusters=nosuch,member-1&require=all": http.StatusServiceUnavailable,
			"/api/v1/configmaps?clusters=nosuch,member-1":             http.StatusOK,
			"/api/v1/configmaps?clusterSelector=a=b":                  http.StatusNotFound,
			"/apis/none.example/v1/things":                            http.StatusNotFound,
			"/apis/apps/v9/deployments":                               http.StatusNotFound,
			"/openapi/v3":                                             http.StatusNotFound,
			"/api/v1/configmaps?fieldSelector=nosuch=x":               http.StatusBadRequest,
		} {
			got, err := getAll(ctx, admin, path)
			Expect(err).NotTo(HaveOccurred(), path)
			Expect(got.Code).To(Equal(code), "%s: %s", path, got.Body)
		}
		got, err := getAll(ctx, admin, "/api/v1/namespaces/default/configmaps?clusters=nosuch,member-1")
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Header.Get("Warning")).To(ContainSubstring("cluster nosuch is missing (NotFound)"))
		var list metav1.PartialObjectMetadataList
		Expect(json.Unmarshal([]byte(got.Body), &list)).To(Succeed())
		Expect(got.Body).To(ContainSubstring(`"annotations":{"fleet.fedctl.io/missing":"{\"nosuch\"`))
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("fedctl get --clusters", func() {
	It("lists and watches all members, or those chosen", func(ctx SpecContext) {
		for _, member := range members {
			allow(ctx, member, "all-of-get", group("host:system:masters"), anything)
		}
		labelled(ctx, members[0], "got", "a")
		labelled(ctx, members[1], "got", "b")
		GinkgoT().Setenv("HOME", GinkgoT().TempDir())
		get := func(args ...string) (string, error) {
			out, errOut, err := kit.FedctlWith(ctx, []string{"--kubeconfig", system.Kubeconfig(), "--context", "host"}, append([]string{"get", "configmaps", "-n", "default", "-l", "all=got"}, args...)...)
			return out + errOut, err
		}
		Eventually(ctx, func() (string, error) { return get("--clusters", "all") }).Should(And(MatchRegexp(`member-1 +a `), MatchRegexp(`member-2 +b `), ContainSubstring("through the API of the fleet in host")))
		Expect(get("--clusters", "member-2", "--no-headers")).To(And(MatchRegexp(`(?m)^member-2 +b `), Not(ContainSubstring("member-1"))))
		Expect(get("--clusters", "all", "-o", "name")).To(ContainSubstring("configmap/a\nconfigmap/b\n"))
		Expect(get("--clusters", "member-1,nosuch")).To(And(MatchRegexp(`member-1 +a `), ContainSubstring("Warning: cluster nosuch is missing (NotFound)")))
		_, err := get("--clusters", "member-1,nosuch", "--require-all")
		Expect(err).To(MatchError(ContainSubstring("cluster nosuch is missing")))
	}, NodeTimeout(3*time.Minute))
})

// next is the next event of a watch and its object's place.
func next(ctx context.Context, w watch.Interface) string {
	GinkgoHelper()
	select {
	case event, open := <-w.ResultChan():
		Expect(open).To(BeTrue(), "the watch has ended")
		object, ok := event.Object.(metav1.Object)
		Expect(ok).To(BeTrue(), "%v", event)
		return fmt.Sprintf("%s %s/%s", event.Type, object.GetAnnotations()[union.AnnotationCluster], object.GetName())
	case <-ctx.Done():
		Fail("no event")
	}
	return ""
}
