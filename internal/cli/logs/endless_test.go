package logs

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/answers"
)

// A member whose list of pods has no end is not read until the memory is full.
func TestEndlessListsAreBounded(t *testing.T) {
	page := fmt.Sprintf(`{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"more"},"items":[{"metadata":{"name":"a","annotations":{"a":%q}}}]}`, strings.Repeat("x", answers.Most/8))
	pages := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if pages++; pages > 12 {
			page = `{"kind":"PodList","apiVersion":"v1","items":[]}` // so that it ends without a bound
		}
		_, _ = w.Write([]byte(page))
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	config.Wrap(answers.Wrap)
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := (target{selector: "a=b"}).list(t.Context(), c, "default"); err == nil || pages > 9 {
		t.Errorf("got %v after %d pages", err, pages)
	}
}
