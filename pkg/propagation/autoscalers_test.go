package propagation

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// scaledMember answers for a member: with the groups that it serves and the autoscalers of
// Kubernetes itself, and to everything else with a code.
type scaledMember struct {
	groups []string
	code   int
	hpas   string
}

func (m *scaledMember) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const hpas = "/apis/autoscaling/v1/horizontalpodautoscalers"
	w.Header().Set("Content-Type", "application/json")
	group := strings.TrimPrefix(r.URL.Path, "/apis/")
	switch {
	case r.URL.Query().Get("sendInitialEvents") != "":
		http.Error(w, "list them", http.StatusBadRequest)
	case r.URL.Path == hpas && m.hpas != "" && r.URL.Query().Get("watch") != "":
		<-r.Context().Done()
	case r.URL.Path == hpas && m.hpas != "":
		_, _ = fmt.Fprintf(w, `{"kind":"HorizontalPodAutoscalerList","apiVersion":"autoscaling/v1","metadata":{"resourceVersion":"1"},"items":[%s]}`, m.hpas)
	case r.URL.Path == "/apis" && m.groups != nil:
		var all []string
		for _, served := range m.groups {
			gv, _, _ := strings.Cut(served, ":")
			name, _, _ := strings.Cut(gv, "/")
			all = append(all, fmt.Sprintf(`{"name":%q,"versions":[{"groupVersion":%q}]}`, name, gv))
		}
		_, _ = fmt.Fprintf(w, `{"kind":"APIGroupList","apiVersion":"v1","groups":[%s]}`, strings.Join(all, ","))
	default:
		for _, served := range m.groups {
			if gv, resource, _ := strings.Cut(served, ":"); gv == group {
				_, _ = fmt.Fprintf(w, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":%q,"resources":[{"name":%q}]}`, gv, resource)
				return
			}
		}
		http.Error(w, "no", m.code)
	}
}

// hpa is an autoscaler of a Deployment in the namespace shop.
func hpa(name, target, owner string) string {
	return fmt.Sprintf(`{"metadata":{"namespace":"shop","name":%q,"uid":%q,"resourceVersion":"1"%s},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":%q}}}`, name, name, owner, target)
}

// What is not served is not there. What cannot be read may be.
func TestAutoscalersOfAnObject(t *testing.T) {
	const (
		hpas      = "autoscaling/v1:horizontalpodautoscalers"
		keda      = "keda.sh/v1alpha1:scaledobjects"
		forbidden = "scaledobjects.keda.sh cannot be read"
	)
	for name, test := range map[string]struct {
		member scaledMember
		want   autoscaler.Found
	}{
		"neither KEDA nor VPA": {scaledMember{[]string{hpas}, 404, hpa("a", "web", "") + "," + hpa("b", "other", "") + "," + hpa("c", "web", "")},
			autoscaler.Found{Replicas: []string{"HorizontalPodAutoscaler a", "HorizontalPodAutoscaler c"}}},
		"no right to either, and there is none":      {scaledMember{[]string{hpas}, 403, hpa("a", "other", "")}, autoscaler.Found{}},
		"KEDA in a version that nobody knows":        {scaledMember{[]string{hpas, "keda.sh/v9:scaledobjects"}, 404, hpa("a", "other", "")}, autoscaler.Found{}},
		"no right to KEDA's":                         {scaledMember{[]string{hpas, keda}, 403, hpa("a", "other", "")}, autoscaler.Found{Unreadable: forbidden}},
		"KEDA's that the server does not find":       {scaledMember{[]string{hpas, keda}, 404, hpa("a", "other", "")}, autoscaler.Found{Unreadable: forbidden}},
		"KEDA's, that made one of Kubernetes' own":   {scaledMember{[]string{hpas, keda}, 403, hpa("a", "web", `,"ownerReferences":[{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledObject","name":"queue","uid":"u","controller":true}]`)}, autoscaler.Found{Replicas: []string{"ScaledObject queue"}, Unreadable: forbidden}},
		"a load balancer without anything behind it": {scaledMember{nil, 404, ""}, autoscaler.Found{Unreadable: "horizontalpodautoscalers.autoscaling cannot be read", RequestsUnknown: true}},
		"a proxy that refuses":                       {scaledMember{nil, 403, ""}, autoscaler.Found{Unreadable: "horizontalpodautoscalers.autoscaling cannot be read", RequestsUnknown: true}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&test.member)
			t.Cleanup(server.Close)
			config := &rest.Config{Host: server.URL, QPS: -1}
			known := make(chan struct{}, 100)
			a := newAutoscalers(func(string, autoscaler.Target) {}, func(string) { known <- struct{}{} }, "", logr.Discard())
			ctx, end := context.WithCancel(t.Context())
			t.Cleanup(end) // before the server, which waits for the watches
			a.engage(ctx, "m", &memberClient{dynamic: dynamic.NewForConfigOrDie(config), serves: fleet.Discovery{
				Paths: kubernetes.NewForConfigOrDie(config).Discovery().RESTClient(), Timeout: time.Minute,
			}})
			of := func() autoscaler.Found {
				found := a.of("m", schema.GroupKind{Group: "apps", Kind: "Deployment"}, types.NamespacedName{Namespace: "shop", Name: "web"})
				found.Unreadable, _, _ = strings.Cut(found.Unreadable, ":")
				return found
			}
			if got := of(); !got.Listing || !got.RequestsUnknown {
				t.Errorf("before they are followed: %+v", got)
			}
			a.follow("deployments.apps")
			as := func(got autoscaler.Found) string {
				return cmp.Diff(test.want, got, cmp.Transformer("sorted", sorted), cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "RequestsUnknown" && test.want.Unreadable != "" }, cmp.Ignore()))
			}
			for deadline := time.After(time.Minute); as(of()) != ""; {
				select {
				case <-known:
				case <-deadline:
					t.Fatalf("(-want +got)\n%s", as(of()))
				}
			}
		})
	}
}

func sorted(names []string) map[string]int {
	found := map[string]int{}
	for _, name := range names {
		found[name]++
	}
	return found
}

// Autoscalers are followed as long as something has replicas, and a while longer.
func TestAutoscalersThatNobodyNeedsAreForgotten(t *testing.T) {
	b := newBench(t, "Deployment")
	b.kind.kinds = newKindTable()
	replicas := func(n any) {
		b.put(func(u *unstructured.Unstructured) {
			_ = unstructured.SetNestedField(u.Object, n, "spec", "template", "spec", "replicas")
		})
	}
	d := b.hostWorker.scaling
	look := func(follows bool, forgotten int) {
		t.Helper()
		got := len(d.forgetUnneeded(b.types.all()))
		if got != forgotten || d.autoscalers.follows(b.kind.Name) != follows {
			t.Errorf("forgets %d, follows: %t", got, d.autoscalers.follows(b.kind.Name))
		}
	}
	decide := func() { d.concerns(b.kind, b.kind.federated.Get(b.key)) }
	b.put(nil)
	decide()
	look(false, 0)
	replicas(int64(2))
	decide()
	look(true, 0)
	look(true, 0) // as long as there is one
	b.put(nil)
	decide()
	look(true, 0) // for a while
	replicas(int64(3))
	decide()
	b.put(nil)
	look(true, 0) // it was needed since
	look(false, 1)
	replicas(int64(3))
	decide()
	look(true, 0)
	b.put(func(u *unstructured.Unstructured) {
		_ = unstructured.SetNestedField(u.Object, int64(3), "spec", "template", "spec", "replicas")
		_ = unstructured.SetNestedField(u.Object, true, "spec", "retainReplicas")
	})
	look(true, 0)
	look(false, 1)
}

// An autoscaler that comes and goes is not answered each time.
func TestAutoscalerThatComesAndGoes(t *testing.T) {
	b := newBench(t, "Deployment")
	b.put(nil)
	for range 100 {
		b.triggers.autoscalersChanged("", autoscaler.Target{GroupKind: schema.GroupKind{Kind: "Deployment"}, Name: b.key.Name})
	}
	if n := b.work.fair.Len(); n != 0 {
		t.Errorf("%d items are queued at once", n)
	}
	for began := time.Now(); b.work.queue.Len() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("it is never answered")
		}
	}
	if item := b.queued(); item != b.hostItem() {
		t.Errorf("queued %v", item)
	}
}

// The template's number waits where nobody can tell, also while the member is away, and it is said.
func TestReplicasThatAreNotSent(t *testing.T) {
	before := &scaling{
		in:   map[string]federate.Autoscaling{"m": {Replicas: federate.ReplicasUnreadable, TemplateReplicas: 2, Message: "no right"}},
		left: []string{"m"}, withheld: map[string]int64{"m": 5},
	}
	after := &scaling{in: map[string]federate.Autoscaling{}, withheld: map[string]int64{}}
	if after.keep("n", before); after.concerns("n") || after.notSent() != nil {
		t.Errorf("%+v", after)
	}
	if after.keep("m", before); !after.same(before) {
		t.Errorf("%+v", after)
	}
	want := []string{"cluster m: spec.replicas: 5 of the template is not sent, which was 2 when the replicas were left: it is not known whether an autoscaler decides on them: no right"}
	if diff := cmp.Diff(want, after.notSent()); diff != "" {
		t.Error(diff)
	}
	faults, reason := faultsOf(nil, misreading{}, after.notSent(), nil, nil, nil)
	if reason != reasonNotSent || len(faults) != 1 {
		t.Errorf("%s: %q", reason, faults)
	}
}

func TestSayScaling(t *testing.T) {
	scaled := federate.Autoscaling{Replicas: federate.ReplicasAutoscaled, By: "HorizontalPodAutoscaler web", TemplateReplicas: 2}
	kept := federate.Autoscaling{Replicas: federate.ReplicasKept, TemplateReplicas: 2}
	for name, test := range map[string]struct {
		was, is federate.Autoscaling
		sends   bool
		reason  string
		changed bool
	}{
		"nothing":                           {federate.Autoscaling{}, federate.Autoscaling{}, true, "", false},
		"an autoscaler":                     {federate.Autoscaling{}, scaled, false, reasonLeft, true},
		"the same one":                      {scaled, scaled, false, "", false},
		"one that has gone":                 {scaled, kept, false, reasonGone, true},
		"the template's again":              {kept, federate.Autoscaling{}, true, reasonFromAgainOn, true},
		"retained, or without any replicas": {scaled, federate.Autoscaling{}, false, "", true},
		"requests":                          {federate.Autoscaling{}, federate.Autoscaling{RequestsBy: "VerticalPodAutoscaler web"}, true, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scaling{in: map[string]federate.Autoscaling{"m": test.is}}
			outcomes := []federate.Outcome{{Cluster: "m"}}
			before := federate.Status{Clusters: []federate.ClusterStatus{{Name: "m", Autoscaling: test.was}}}
			news, changed := sayScaling(s, outcomes, before, func(string) bool { return test.sends })
			if outcomes[0].Autoscaling != test.is || changed != test.changed {
				t.Errorf("changed: %t: %+v", changed, outcomes[0].Autoscaling)
			}
			switch {
			case test.reason == "" && len(news) > 0, test.reason != "" && (len(news) != 1 || news[0].reason != test.reason):
				t.Errorf("events: %+v", news)
			}
		})
	}
}
