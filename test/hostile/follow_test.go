package hostile_test

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/test/hostile"
)

var configMaps = typeconfig.Resource{
	GVR: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, GVK: schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, Namespaced: true,
}

// kept is what the tests keep of an object.
type kept struct{ version, annotation string }

// follow follows a server's objects as a controller does: metadata alone, or whole.
func follow(t *testing.T, server *hostile.Server, whole bool) *fleet.Watch[kept] {
	t.Helper()
	config := &rest.Config{Host: server.URL(), QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAData: server.CABundle()}, WarningHandler: rest.NoWarnings{}}
	config.Wrap(answers.Wrap)
	var source fleet.Source
	if whole {
		client, err := dynamic.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		source = fleet.Objects(client, configMaps, "")
	} else {
		client, err := metadata.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		source = fleet.Metadata(client, configMaps, "")
	}
	source.Log, source.Retry, source.RetryMax = logr.Discard(), 10*time.Millisecond, 100*time.Millisecond
	table := fleet.NewTable(fleet.Rules[kept]{Read: func(o metav1.Object) (*kept, error) {
		return &kept{o.GetResourceVersion(), o.GetAnnotations()["a"]}, nil
	}})
	ctx, cancel := context.WithCancel(context.Background())
	watch := fleet.Follow(ctx, source, table)
	t.Cleanup(func() { cancel(); <-watch.Done() })
	return watch
}

// start starts a server in a mode.
func start(t *testing.T, mode hostile.Mode) *hostile.Server {
	t.Helper()
	server := hostile.Start("configmaps")
	server.Become(mode)
	t.Cleanup(server.Close)
	return server
}

const patience = 2 * time.Minute

// suffers has a server be hostile, and returns when what is said of it says so; then it
// is well again. Another one is followed all the while.
func suffers(t *testing.T, mode hostile.Mode, whole bool, says string) {
	t.Helper()
	g := NewWithT(t)
	bad, good := start(t, mode), start(t, hostile.Harmless)
	watch, other := follow(t, bad, whole), follow(t, good, whole)
	g.Eventually(other.Synced).WithTimeout(patience).Should(BeTrue(), "another one is not followed")
	g.Eventually(watch.Err).WithTimeout(patience).Should(MatchError(ContainSubstring(says)))
	g.Expect(other.Err()).NotTo(HaveOccurred())
	g.Expect(other.Synced()).To(BeTrue())
	bad.Become(hostile.Harmless)
	g.Eventually(watch.Synced).WithTimeout(patience).Should(BeTrue(), "it does not recover")
	g.Eventually(watch.Err).WithTimeout(patience).ShouldNot(HaveOccurred())
}

func TestStorms(t *testing.T) {
	for name, test := range map[string]struct {
		mode hostile.Mode
		says string
	}{
		"endless pages":         {hostile.EndlessPages, "or pages for as many, and goes on"},
		"wrong kinds":           {hostile.WrongKinds, ""},
		"too many requests":     {hostile.TooManyRequests, "later"},
		"internal errors":       {hostile.Broken, "broken"},
		"redirects":             {hostile.Redirecting("https://127.0.0.1:1"), "redirect"},
		"an error without end":  {hostile.Listing(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"` + strings.Repeat("x", 8<<20)), ""},
		"a list that is no end": {hostile.Listing(`{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","items":[`), ""},
	} {
		t.Run(name, func(t *testing.T) { suffers(t, test.mode, false, test.says) })
	}
}

// TestCertificateSwapped: the one that is shown in the middle is not trusted, and nothing
// that it would protect is sent.
func TestCertificateSwapped(t *testing.T) {
	g := NewWithT(t)
	bad, good := start(t, hostile.Harmless), start(t, hostile.Harmless)
	watch, other := follow(t, bad, false), follow(t, good, false)
	g.Eventually(watch.Synced).WithTimeout(patience).Should(BeTrue())
	g.Expect(bad.SwapCertificate()).To(Succeed())
	g.Eventually(watch.Err).WithTimeout(patience).Should(MatchError(ContainSubstring("certificate")))
	g.Eventually(other.Synced).WithTimeout(patience).Should(BeTrue())
	bad.RestoreCertificate()
	g.Eventually(watch.Err).WithTimeout(patience).ShouldNot(HaveOccurred())
}

// mostHeap is what a program may hold beside a server that answers without end: what
// one answer may have, decoded, and some more.
const mostHeap = 1 << 30

// TestMemory: what has no end ends where it becomes too much.
func TestMemory(t *testing.T) {
	for name, test := range map[string]struct {
		mode  hostile.Mode
		whole bool
		says  string
	}{
		"endless list":         {hostile.EndlessList, false, "the answer is longer than"},
		"endless list, whole":  {hostile.EndlessList, true, "the answer is longer than"},
		"large pages":          {hostile.LargePages, true, "the pages of the list are too long together"},
		"gzip bomb":            {hostile.GzipBomb, false, "the answer is longer than"},
		"endless events":       {hostile.EndlessEvents, false, "the answer is longer than"},
		"an event without end": {hostile.EndlessEvent, false, "an event of the watch is longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			runtime.GC()
			watch := follow(t, start(t, test.mode), test.whole)
			g.Eventually(func() (error, error) { //nolint:staticcheck // the first is what is asked for
				var memory runtime.MemStats
				runtime.ReadMemStats(&memory)
				if memory.HeapAlloc > mostHeap {
					return nil, StopTrying(fmt.Sprintf("%d MiB are held", memory.HeapAlloc>>20))
				}
				return watch.Err(), nil
			}).WithTimeout(patience).Should(MatchError(ContainSubstring(test.says)))
		})
	}
}

// TestFlood: events without end take no memory, and the newest counts.
func TestFlood(t *testing.T) {
	g := NewWithT(t)
	bad, good := start(t, hostile.Flood), start(t, hostile.Harmless)
	watch, other := follow(t, bad, false), follow(t, good, false)
	key := types.NamespacedName{Namespace: "default", Name: "o0"}
	version := func() string {
		if known := watch.Get(key); known != nil {
			return known.version
		}
		return ""
	}
	g.Eventually(version).WithTimeout(patience).Should(HaveLen(5), "10,000 events")
	g.Expect(watch.Keys("")).To(HaveLen(1))
	g.Eventually(other.Synced).WithTimeout(patience).Should(BeTrue())
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	g.Expect(memory.HeapAlloc).To(BeNumerically("<", 512<<20))
}

// item is an object in a list, with more of its metadata or of itself.
func item(metadata, rest string) string {
	return `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"o","namespace":"default","uid":"u","resourceVersion":"2"` + metadata + `}` + rest + `}`
}

func list(items string) string {
	return `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"2"},"items":[` + items + `]}`
}

// malformed are lists that are none; a watch takes them for failures, or for what they
// say, and goes on when they are over.
var malformed = map[string]string{
	"nothing":              ``,
	"a null":               `null`,
	"a number":             `7`,
	"a string":             `"list"`,
	"a list":               `[]`,
	"an empty object":      `{}`,
	"no JSON":              `<html>sorry</html>`,
	"cut off":              list(item("", ""))[:100],
	"two at once":          list("") + list(""),
	"no kind":              `{"apiVersion":"v1","items":[]}`,
	"another kind":         `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"}}`,
	"items is an object":   `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":{"a":1}}`,
	"items is a string":    `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":"none"}`,
	"an item is null":      list(`null`),
	"an item is a number":  list(`7`),
	"an item is a list":    list(`[[]]`),
	"no metadata":          list(`{"kind":"ConfigMap","apiVersion":"v1"}`),
	"metadata is a list":   list(`{"kind":"ConfigMap","apiVersion":"v1","metadata":[]}`),
	"labels is a string":   list(item(`,"labels":"none"`, "")),
	"labels of numbers":    list(item(`,"labels":{"a":1}`, "")),
	"a time that is none":  list(item(`,"creationTimestamp":"yesterday"`, "")),
	"no UTF-8":             list(item(`,"labels":{"a":"`+"\xff\xfe"+`"}`, "")),
	"a version of letters": strings.Replace(list(item("", "")), `"resourceVersion":"2"},"items"`, `"resourceVersion":"new"},"items"`, 1),
}

// TestMalformedLists: none ends the program, or takes the watch with it.
func TestMalformedLists(t *testing.T) {
	for name, text := range malformed {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, whole: %t", name, whole), func(t *testing.T) {
				t.Parallel()
				g := NewWithT(t)
				bad := start(t, hostile.Listing(text))
				watch := follow(t, bad, whole)
				g.Eventually(func() bool { return watch.Err() != nil || watch.Synced() }).WithTimeout(patience).Should(BeTrue())
				bad.Become(hostile.Harmless)
				g.Eventually(func() bool { return watch.Err() == nil && watch.Synced() }).WithTimeout(patience).Should(BeTrue(), "it does not recover")
			})
		}
	}
}

var malformedStreams = map[string]string{
	"no JSON":             "sorry\n",
	"a null":              "null\n",
	"an empty event":      "{}\n",
	"another type":        `{"type":"RENAMED","object":` + item("", "") + "}\n",
	"an object of null":   `{"type":"ADDED","object":null}` + "\n",
	"an object of a kind": `{"type":"ADDED","object":{"kind":"Nothing","apiVersion":"v0"}}` + "\n",
	"an error of nothing": `{"type":"ERROR","object":{}}` + "\n",
	"a deletion of none":  `{"type":"DELETED","object":` + item("", "") + "}\n",
}

// TestMalformedStreams: the same of events.
func TestMalformedStreams(t *testing.T) {
	for name, text := range malformedStreams {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, whole: %t", name, whole), func(t *testing.T) {
				t.Parallel()
				g := NewWithT(t)
				told := make(chan struct{}, 100)
				bad := start(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Query().Get("watch") != "" {
						told <- struct{}{}
					}
					hostile.Streaming(text)(w, r)
				})
				watch := follow(t, bad, whole)
				g.Eventually(told).WithTimeout(patience).Should(Receive())
				bad.Become(hostile.Harmless)
				g.Eventually(func() bool {
					bad.Disconnect()
					return watch.Err() == nil && watch.Synced()
				}).WithTimeout(patience).Should(BeTrue(), "it does not recover")
			})
		}
	}
}

// TestPoison: objects that are as large, as deep and as strange as they can be are read,
// and the one beside them as well.
func TestPoison(t *testing.T) {
	const depth = 9000
	beside := `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"beside","namespace":"default","uid":"v","resourceVersion":"2"}}`
	for name, text := range map[string]string{
		"of 1.4 MB":          item(`,"annotations":{"a":"`+strings.Repeat("x", 1_400_000)+`"}`, ""),
		"9,000 levels":       item("", `,"data":`+strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth)),
		"9,000 lists":        item("", `,"data":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)),
		"control characters": item(`,"annotations":{"a":"\u001b[31m\u0000\u202e"}`, ""),
	} {
		for _, whole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, whole: %t", name, whole), func(t *testing.T) {
				g := NewWithT(t)
				watch := follow(t, start(t, hostile.Listing(list(text+","+beside))), whole)
				g.Eventually(func() any { return watch.Get(types.NamespacedName{Namespace: "default", Name: "beside"}) }).WithTimeout(patience).ShouldNot(BeNil())
				g.Expect(watch.Get(types.NamespacedName{Namespace: "default", Name: "o"})).NotTo(BeNil())
			})
		}
	}
}
