package diff

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// A member whose list of autoscalers has no end is not read until the memory is full, and what
// it has told of counts.
func TestEndlessAutoscalersAreBounded(t *testing.T) {
	const list = `{"kind":"HorizontalPodAutoscalerList","apiVersion":"autoscaling/v1","metadata":{"continue":%q},"items":[{"apiVersion":"autoscaling/v1","kind":"HorizontalPodAutoscaler",
		"metadata":{"name":"theirs","annotations":{"a":%q}},"spec":{"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}}}]}`
	more, pages := "more", 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasSuffix(r.URL.Path, "/horizontalpodautoscalers") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if pages++; pages > 12 {
			more = "" // so that it ends without a bound
		}
		_, _ = fmt.Fprintf(w, list, more, strings.Repeat("x", answers.Most/8))
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	config.Wrap(answers.Wrap)
	s := &scalers{objects: dynamic.NewForConfigOrDie(config), served: fleet.NewDiscovery(discovery.NewDiscoveryClientForConfigOrDie(config).RESTClient(), patience)}
	web := autoscaler.Target{GroupKind: schema.GroupKind{Group: "apps", Kind: "Deployment"}, Name: "web"}
	found := s.of(t.Context(), web, "shop", "berlin")
	if pages > 9 || len(found.Replicas) == 0 || !strings.Contains(found.Unreadable, "horizontalpodautoscalers.autoscaling cannot be read") {
		t.Errorf("%d pages, %v, %q", pages, found.Replicas, found.Unreadable)
	}
}
