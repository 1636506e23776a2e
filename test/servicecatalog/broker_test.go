package servicecatalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/fedctl/fedctl/test/kit"
)

// broker is the way of one member to the test-broker, which notes what goes it: the broker
// itself keeps no books of bindings, and is one for all members.
type broker struct {
	url string

	mu    sync.Mutex
	calls []call
	down  bool
}

// call is a request that the broker has carried out.
type call struct{ verb, instance, plan string }

// verbs are what requests of the Open Service Broker API do to an instance, and to a binding.
var verbs = map[string][2]string{http.MethodPut: {"provision", "bind"}, http.MethodPatch: {"update", ""}, http.MethodDelete: {"deprovision", "unbind"}}

// wayTo opens a way to the broker at an address, for the time of the suite.
func wayTo(address string) *broker {
	GinkgoHelper()
	target, err := url.Parse(address)
	Expect(err).NotTo(HaveOccurred())
	b := &broker{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || b.isDown() {
			http.Error(w, `{"description": "the broker is down"}`, http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		b.note(r, body) // before the answer is there: what follows from it comes later
		proxy.ServeHTTP(w, r)
	}))
	DeferCleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *broker) note(r *http.Request, body []byte) {
	verb, changes := verbs[r.Method]
	if !changes {
		return
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // v2/service_instances/ID[/service_bindings/ID]
	c := call{verb: verb[0], instance: parts[2], plan: r.URL.Query().Get("plan_id")}
	if len(parts) > 3 {
		c.verb = verb[1]
	}
	var sent struct {
		Plan string `json:"plan_id"`
	}
	if json.Unmarshal(body, &sent) == nil && sent.Plan != "" {
		c.plan = sent.Plan
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, c)
}

// of is what was done to an instance and its bindings, in order. The same twice in a row
// counts once: brokers are asked again where an answer was lost.
func (b *broker) of(instance string) (done []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if c.instance == instance {
			done = append(done, c.verb)
		}
	}
	return slices.Compact(done)
}

// plan is the plan that an instance was asked for last.
func (b *broker) plan(instance string) (plan string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if c.instance == instance {
			plan = c.plan
		}
	}
	return plan
}

// set takes the broker down for this member, or brings it back.
func (b *broker) set(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

func (b *broker) isDown() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.down
}

// ask sends a request of the Open Service Broker API. What is gone already is deleted.
func ask(ctx context.Context, method, address string, body kit.Fields) (kit.Fields, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Broker-API-Version", "2.13")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	answer := kit.Fields{}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if code := response.StatusCode; code >= http.StatusMultipleChoices && (method != http.MethodDelete || code != http.StatusGone) {
		return nil, fmt.Errorf("%s %s: %s: %v", method, request.URL.Path, response.Status, answer["description"])
	}
	return answer, nil
}
