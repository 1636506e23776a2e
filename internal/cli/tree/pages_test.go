package tree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/pkg/answers"
)

// endless has lists of which each page has these items, and another one after it.
func endless(items string, asked *atomic.Int32) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		kind, version := "ConfigMapList", "v1"
		switch {
		case strings.HasSuffix(r.URL.Path, "/events"):
			kind = "EventList"
		case strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata"):
			kind, version = "PartialObjectMetadataList", "meta.k8s.io/v1"
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"kind":%q,"apiVersion":%q,"metadata":{"continue":"more"},"items":[%s]}`, kind, version, items)
	}
}

// A member whose lists have no end is not read until the time is over, whatever a page has.
func TestEndlessListsAreBounded(t *testing.T) {
	const item = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}`
	for items, counted := range map[string]int{strings.Repeat(item+",", pageSize-1) + item: pageSize, "": leastCounted} {
		name := fmt.Sprintf("%d bytes", len(items))
		var asked atomic.Int32
		server := httptest.NewServer(endless(items, &asked))
		t.Cleanup(server.Close)
		config := &rest.Config{Host: server.URL, QPS: -1}
		config.Wrap(answers.Wrap)
		said := &strings.Builder{}
		g := &gathering{member: members.Member{Name: "a", Config: config}, errOut: said, by: map[string]resource{}}
		var err error
		if g.metadata, err = metadata.NewForConfig(config); err != nil {
			t.Fatal(err)
		}
		if g.dynamic, err = dynamic.NewForConfig(config); err != nil {
			t.Fatal(err)
		}
		r := resource{schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, schema.GroupKind{Kind: "ConfigMap"}}
		for what, list := range map[string]struct {
			read func() error
			most int
		}{
			"owned":  {func() error { return g.listOne(t.Context(), r, "default") }, mostSeen},
			"health": {func() error { return g.each(t.Context(), r, "default", func(*unstructured.Unstructured) {}) }, mostSeen},
			"events": {func() error { g.events(t.Context(), nil, "default"); return nil }, mostEvents},
		} {
			asked.Store(0)
			err := list.read()
			if (err == nil) != (what == "events") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if got, want := int(asked.Load()), list.most/counted; got > want {
				t.Errorf("%s, %s: %d pages were read, more than %d", name, what, got, want)
			}
		}
		if !strings.Contains(said.String(), "the events of a cannot be read: ") {
			t.Errorf("%s: said %q", name, said)
		}
	}
}

func TestLargePagesAreBoundedTogether(t *testing.T) {
	large := strings.Repeat("x", answers.Most/8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, large) }))
	t.Cleanup(server.Close)
	c, read := &http.Client{Transport: answers.Wrap(http.DefaultTransport)}, 0
	err := pages(t.Context(), mostSeen, func(ctx context.Context, _ metav1.ListOptions) (int, string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, http.NoBody)
		if err != nil {
			return 0, "", err
		}
		response, err := c.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer response.Body.Close() //nolint:errcheck // only read
		_, err = io.Copy(io.Discard, response.Body)
		read++
		return 1, "more", err
	})
	if refused := (*answers.RefusedError)(nil); !errors.As(err, &refused) || read > 9 {
		t.Errorf("got %v after %d pages", err, read)
	}
}
