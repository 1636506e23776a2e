package fleetapi

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/pkg/reach"
)

// standIn is a server in the place of a member's API server, with ConfigMaps a, b, c and so
// on. It knows no versions but its own.
type standIn struct {
	*httptest.Server
	name string
	kfc  fedcorev1beta1.KubeFedCluster

	mu     sync.Mutex
	script http.HandlerFunc // in place of it all
	names  []string
	asked  []string
	events chan string // of watches
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	script := s.script
	s.asked = append(s.asked, r.URL.RawQuery)
	names := slices.Clone(s.names)
	s.mu.Unlock()
	switch {
	case script != nil:
		script(w, r)
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r)
	default:
		s.list(w, r, names)
	}
}

func (s *standIn) list(w http.ResponseWriter, r *http.Request, names []string) {
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	to := len(names)
	if limit, _ := strconv.Atoi(r.URL.Query().Get("limit")); limit > 0 {
		to = min(to, from+limit)
	}
	list := corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{Kind: "ConfigMapList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
	if to < len(names) {
		list.Continue = strconv.Itoa(to)
	}
	for _, name := range names[from:to] {
		list.Items = append(list.Items, corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "1", ResourceVersion: "5"}})
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (s *standIn) watch(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case event, open := <-s.events:
			if !open || event == "" {
				return
			}
			_, _ = fmt.Fprintln(w, event)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (s *standIn) does(script http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// hostOfMany is a host with stand-ins for members, and an authorizer that lets the user
// read all but some.
type hostOfMany struct {
	client.Reader

	members   []*standIn
	forbidden []string
	room      *room // nil: as much as there is
}

func (h *hostOfMany) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	for _, m := range h.members {
		switch object := object.(type) {
		case *fedcorev1beta1.KubeFedCluster:
			if m.name == key.Name {
				m.kfc.DeepCopyInto(object)
				return nil
			}
		case *corev1.Secret:
			if m.name+"-fleet-access" == key.Name {
				object.ObjectMeta = metav1.ObjectMeta{Namespace: "ns", Name: key.Name, Labels: map[string]string{reach.ClusterLabel: m.name}}
				object.Data = map[string][]byte{reach.TokenKey: []byte("token")}
				return nil
			}
		}
	}
	return apierrors.NewNotFound(clustersResource, key.Name)
}

func (h *hostOfMany) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	for _, m := range h.members {
		list.(*fedcorev1beta1.KubeFedClusterList).Items = append(list.(*fedcorev1beta1.KubeFedClusterList).Items, m.kfc)
	}
	return nil
}

// Authorize implements authorizer.Authorizer.
func (h *hostOfMany) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	if a.GetVerb() != "get" || a.GetSubresource() != "proxy" || slices.Contains(h.forbidden, a.GetName()) {
		return authorizer.DecisionNoOpinion, "", nil
	}
	return authorizer.DecisionAllow, "", nil
}

func newMember(t testing.TB, name string, objects ...string) *standIn {
	return newMemberBy(t, http2, name, objects...)
}

// newMemberBy is one that speaks a protocol.
func newMemberBy(t testing.TB, protocol, name string, objects ...string) *standIn {
	m := &standIn{name: name, names: objects, events: make(chan string)}
	m.Server = httptest.NewUnstartedServer(m)
	m.EnableHTTP2 = protocol == http2
	m.StartTLS()
	t.Cleanup(func() { m.CloseClientConnections(); m.Close() })
	m.kfc.Namespace, m.kfc.Name, m.kfc.UID, m.kfc.ResourceVersion = "ns", name, "1", "1"
	m.kfc.Annotations = map[string]string{reach.FleetAccessAnnotation: name + "-fleet-access"}
	m.kfc.Spec.APIEndpoint = m.URL
	m.kfc.Spec.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.Certificate().Raw})
	m.kfc.Status.Conditions = []fedcorev1beta1.ClusterCondition{{Type: fedcommon.ClusterReady, Status: corev1.ConditionTrue}}
	return m
}

// serve is the server under test, for one user.
func serve(t testing.TB, h *hostOfMany) *httptest.Server {
	server := httptest.NewServer(proxyFor(t, h, fleetv1alpha1.AllClusters))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server
}

// proxyFor serves clusters/NAME/proxy for one user.
func proxyFor(t testing.TB, h *hostOfMany, name string) http.Handler {
	over, end := context.WithCancel(context.Background())
	t.Cleanup(end)
	if h.room == nil {
		h.room = newRoom(mostNextOfAll)
	}
	p := &proxy{
		members:    &members{clusters: h, secrets: h, namespace: "ns", responseTimeout: time.Minute},
		authorizer: h, prefix: "host:", streams: &streams{over: over}, buffers: &buffers{}, places: newPlaces(20, 10), room: h.room,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := request.WithUser(r.Context(), &user.DefaultInfo{Name: "ada"})
		handler, err := p.Connect(ctx, name, nil, answered{w})
		if err != nil {
			answered{w}.Error(err)
			return
		}
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// answered answers errors as the generic server does.
type answered struct{ http.ResponseWriter }

func (a answered) Object(int, apiruntime.Object) {}

func (a answered) Error(err error) {
	status := apierrors.APIStatus(nil)
	if s, ok := err.(apierrors.APIStatus); ok {
		status = s
	}
	a.WriteHeader(int(status.Status().Code))
	_ = json.NewEncoder(a).Encode(status.Status())
}

// listed is an answer with a list.
type listed struct {
	code     int
	places   []string
	next     string
	version  string
	warnings []string
	text     string
	err      error
}

const configMaps = "/api/v1/namespaces/default/configmaps"

func get(t testing.TB, server *httptest.Server, path string) (l listed) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+fleetv1alpha1.ProxyPath(fleetv1alpha1.AllClusters)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	var text strings.Builder
	_, l.err = bufio.NewReader(response.Body).WriteTo(&text)
	l.code, l.warnings, l.text = response.StatusCode, response.Header["Warning"], text.String()
	var list metav1.PartialObjectMetadataList
	if l.err == nil && json.Unmarshal([]byte(l.text), &list) != nil {
		t.Fatalf("%s: not JSON: %s", path, l.text)
	}
	l.next, l.version = list.Continue, list.ResourceVersion
	for i := range list.Items {
		l.places = append(l.places, list.Items[i].Annotations[union.AnnotationCluster]+"/"+list.Items[i].Name)
	}
	return l
}

func named(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("o%05d", i))
	}
	return names
}

func TestPagesOverClustersAreTheWhole(t *testing.T) {
	t.Parallel()
	sizes := []int{3, 0, 250, 1, 0, 1200, 2}
	h := &hostOfMany{}
	var want []string
	for i, size := range sizes {
		m := newMember(t, fmt.Sprintf("m%d", i), named(size)...)
		h.members = append(h.members, m)
		for _, name := range m.names {
			want = append(want, m.name+"/"+name)
		}
	}
	server := serve(t, h)
	for _, limit := range []int{0, 1, 2, 3, 7, 100, 254, 500, 1456, 5000} {
		if limit == 1 { // of each cluster only
			continue
		}
		var got []string
		next := ""
		for pages := 0; ; pages++ {
			l := get(t, server, fmt.Sprintf("%s?limit=%d&continue=%s", configMaps, limit, next))
			if l.code != http.StatusOK || l.err != nil || len(l.warnings) > 0 || limit > 0 && len(l.places) > limit || pages > len(want) {
				t.Fatalf("limit %d, page %d: %d objects, %+v", limit, pages, len(l.places), l.code)
			}
			if l.version != "m0=7,m1=7,m2=7,m3=7,m4=7,m5=7,m6=7" {
				t.Fatalf("the version is %s", l.version)
			}
			got = append(got, l.places...)
			if next = l.next; next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %d objects in place of %d", limit, len(got), len(want))
		}
	}
}

func TestClustersThatAreMissingAreNamed(t *testing.T) {
	t.Parallel()
	status := func(code int, reason metav1.StatusReason) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(metav1.Status{Status: "Failure", Code: int32(code), Reason: reason, Message: "so it is\n\x1b[31m"})
		}
	}
	for name, test := range map[string]struct {
		does   http.HandlerFunc
		reason string
	}{
		"forbidden":          {status(403, metav1.StatusReasonForbidden), "Forbidden"},
		"of another version": {status(404, metav1.StatusReasonNotFound), "NotServed"},
		"failing":            {status(500, metav1.StatusReasonInternalError), "Failed"},
		"not knowing us":     {status(401, metav1.StatusReasonUnauthorized), "Failed"},
		"hanging":            {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "TimedOut"},
		"slow in its answer": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprint(w, `{"kind":"ConfigMapList","apiVersion":"v1","items":[`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "TimedOut"},
		"breaking off": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"kind":"ConfigMapList","apiVersion":"v1","items":[{"metadata":{"name":"x"}}`)
		}, "Failed"},
		"of no JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, "Invalid"},
		"of another kind": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"x"}}]}`)
		}, "Invalid"},
		"lying about metadata": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"kind":"ConfigMapList","apiVersion":"v1","items":[{"metadata":{"name":"x"},"metadata":{"name":"y"}}]}`)
		}, "Invalid"},
		"too old for a first page": {status(410, metav1.StatusReasonExpired), "Failed"},
		"without an end": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"again"},"items":[]}`)
		}, "Invalid"},
		"without an end in empty pages": {func(w http.ResponseWriter, r *http.Request) {
			page, _ := strconv.Atoi(r.URL.Query().Get("continue"))
			_, _ = fmt.Fprintf(w, `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"%d"},"items":[]}`, page+1)
		}, "Invalid"},
		"redirecting": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		}, "Failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hostOfMany{members: []*standIn{newMember(t, "a", "x"), newMember(t, "b", "y"), newMember(t, "c", "z")}}
			server := serve(t, h)
			get(t, server, configMaps) // connects
			h.members[1].does(test.does)
			timeout := "20s"
			if test.reason == union.TimedOut {
				timeout = "5s"
			}
			for _, limit := range []string{"0", "500"} {
				l := get(t, server, configMaps+"?timeout="+timeout+"&limit="+limit)
				if l.code != http.StatusOK || !slices.Equal(l.places, []string{"a/x", "c/z"}) || len(l.warnings) != 1 || !strings.Contains(l.warnings[0], "cluster b is missing ("+test.reason+")") {
					t.Errorf("limit %s: %+v", limit, l)
				}
				if !strings.Contains(l.text, `fleet.fedctl.io/missing`) || strings.ContainsAny(l.text+strings.Join(l.warnings, ""), "\x1b") || strings.Contains(l.text, "token\"") {
					t.Errorf("limit %s: %s", limit, l.text)
				}
				if strings.Contains(l.version, "b=") {
					t.Errorf("the version %s is said to be whole", l.version)
				}
			}
			if l := get(t, server, configMaps+"?require=all&timeout="+timeout); l.code != http.StatusServiceUnavailable || !strings.Contains(l.text, "cluster b is missing") || strings.Contains(l.text, "retryAfter") {
				t.Errorf("require=all: %+v", l)
			}
			if name == "of another kind" {
				return // alone nobody says of which
			}
			if l := get(t, server, configMaps+"?clusters=b&timeout="+timeout); l.code < http.StatusBadRequest || !strings.Contains(l.text, "cluster b is missing") {
				t.Errorf("alone: %+v", l)
			}
		})
	}
}

// The first cluster by name does not say what all are of.
func TestAClusterOfAnotherKindIsTheOneThatIsMissing(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"kind":       `"kind":"SecretList","apiVersion":"v1"`,
		"apiVersion": `"kind":"ConfigMapList","apiVersion":"other/v1"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newMember(t, "a")
			a.does(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("watch") != "" {
					hangs(w, r)
				}
				_, _ = fmt.Fprintf(w, `{%s,"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"x"}}]}`, head)
			})
			server := serve(t, &hostOfMany{members: []*standIn{a, newMember(t, "b", "y", "y2"), newMember(t, "c", "z")}})
			const missing = "cluster a is missing (Invalid)"
			first := get(t, server, configMaps+"?limit=2")
			if !slices.Equal(first.places, []string{"b/y", "b/y2"}) || len(first.warnings) != 1 || !strings.Contains(first.warnings[0], missing) {
				t.Errorf("got %+v", first)
			}
			if l := get(t, server, configMaps+"?continue="+first.next); !slices.Equal(l.places, []string{"c/z"}) {
				t.Errorf("got %+v", l)
			}
			next, warnings := watched(t, server, "")
			if len(warnings) != 1 || !strings.Contains(warnings[0], missing) {
				t.Error(warnings)
			}
			got := []string{next(), next(), next()}
			slices.Sort(got)
			for i, want := range []string{"ADDED b/y ", "ADDED b/y2 ", "ADDED c/z "} {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got %q", got)
				}
			}
		})
	}
}

// On later pages a cluster that had said the right kind does not say another one for all.
func TestTheKindOfAListIsThatOfItsFirstPage(t *testing.T) {
	t.Parallel()
	a := newMember(t, "a", "x", "x2")
	server := serve(t, &hostOfMany{members: []*standIn{a, newMember(t, "b", "y"), newMember(t, "c", "z")}})
	first := get(t, server, configMaps+"?limit=1&clusters=a,b,c")
	a.does(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"x"}}]}`)
	})
	if l := get(t, server, configMaps+"?clusters=a,b,c&continue="+first.next); !slices.Equal(l.places, []string{"b/y", "c/z"}) || len(l.warnings) != 1 {
		t.Errorf("got %+v", l)
	}
}

func TestWhatFailsInTheMiddleBreaksTheAnswerOff(t *testing.T) {
	t.Parallel()
	h := &hostOfMany{members: []*standIn{newMember(t, "a", named(5000)...), newMember(t, "b", "y")}}
	m := h.members[0]
	m.does(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("continue") == "4500" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		m.list(w, r, m.names)
	})
	server := serve(t, h)
	if l := get(t, server, configMaps); l.err == nil {
		t.Errorf("an answer of %d objects seems whole", len(l.places))
	}
	l := get(t, server, configMaps+"?limit=5000")
	if l.err != nil || !slices.Equal(l.places, []string{"b/y"}) || len(l.warnings) != 1 {
		t.Errorf("what was not sent yet is not taken back: %d objects, %v %v", len(l.places), l.warnings, l.err)
	}
}

func TestTokensOpenNoCluster(t *testing.T) {
	t.Parallel()
	h := &hostOfMany{members: []*standIn{newMember(t, "a", named(3)...), newMember(t, "b", named(3)...), newMember(t, "c", named(3)...)}}
	server := serve(t, h)
	first := get(t, server, configMaps+"?limit=2")
	h.forbidden = []string{"b"}
	l := get(t, server, configMaps+"?continue="+first.next)
	if !slices.Equal(l.places, []string{"a/o00002", "c/o00000", "c/o00001", "c/o00002"}) || len(l.warnings) == 0 {
		t.Errorf("got %+v", l)
	}
	token := union.Token{Versions: union.Version{"b": "1"}, At: "b", Continue: "0"}
	if l := get(t, server, configMaps+"?continue="+token.String()); l.code != http.StatusGone || len(l.places) > 0 {
		t.Errorf("got %+v", l)
	}
	if l := get(t, server, configMaps+"?clusters=b"); l.code != http.StatusForbidden {
		t.Errorf("got %+v", l)
	}
	h.forbidden = nil
	h.members[0].does(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusGone)
		_ = json.NewEncoder(w).Encode(metav1.Status{Code: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: "too old"})
	})
	if l := get(t, server, configMaps+"?continue="+first.next); l.code != http.StatusGone || !strings.Contains(l.text, "cluster a: too old") {
		t.Errorf("got %+v", l)
	}
}

// watched reads the events of a watch, as TYPE CLUSTER/NAME.
func watched(t *testing.T, server *httptest.Server, query string) (next func() string, warnings []string) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+fleetv1alpha1.ProxyPath(fleetv1alpha1.AllClusters)+configMaps+"?watch=1&"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	lines := bufio.NewReader(response.Body)
	return func() string {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return "end"
		}
		var event struct {
			Type   string
			Object struct {
				metav1.PartialObjectMetadata
				Code int
			}
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		o := event.Object
		switch event.Type {
		case union.Bookmark:
			return fmt.Sprintf("BOOKMARK %s %s%s", o.ResourceVersion, o.Annotations[union.AnnotationMissing], o.Annotations[metav1.InitialEventsAnnotationKey])
		case union.Error:
			return fmt.Sprintf("ERROR %d", o.Code)
		}
		return fmt.Sprintf("%s %s/%s %s", event.Type, o.Annotations[union.AnnotationCluster], o.Name, o.ResourceVersion)
	}, response.Header["Warning"]
}

func event(kind, name, version string) string {
	return fmt.Sprintf(`{"type":%q,"object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":%q,"uid":"1","resourceVersion":%q}}}`, kind, name, version)
}

const expired = `{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}`

func expect(t *testing.T, next func() string, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := next(); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestWatchesAreOne(t *testing.T) {
	t.Parallel()
	a, b := newMember(t, "a", "x"), newMember(t, "b")
	server := serve(t, &hostOfMany{members: []*standIn{a, b}})
	next, warnings := watched(t, server, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
	if len(warnings) > 0 {
		t.Error(warnings)
	}
	first := next()
	if first != "ADDED a/x 0" && first != "ADDED a/x b=7" { // a is not told as a whole yet
		t.Fatal(first)
	}
	expect(t, next, "BOOKMARK a=7,b=7 true")
	b.events <- event("ADDED", "y", "8")
	expect(t, next, "ADDED b/y a=7,b=8")
	a.events <- event("MODIFIED", "x", "9")
	expect(t, next, "MODIFIED a/x a=9,b=8")

	// One member does not remember: it is compared with what was told.
	a.mu.Lock()
	a.names = []string{"new"}
	a.mu.Unlock()
	a.events <- expired
	expect(t, next, "ADDED a/new a=9,b=8", "DELETED a/x a=9,b=8")
	b.events <- event("DELETED", "y", "10")
	if got := next(); got != "DELETED b/y a=7,b=10" && got != "DELETED b/y a=9,b=10" {
		t.Error(got)
	}
}

func TestWatchesGoOnAndBeginAnew(t *testing.T) {
	t.Parallel()
	a, b, c := newMember(t, "a", "x"), newMember(t, "b", "y"), newMember(t, "c", "z")
	server := serve(t, &hostOfMany{members: []*standIn{a, b, c}})
	// c is not in the version: all of it is told.
	next, _ := watched(t, server, "resourceVersion=a%3D3,b%3D4")
	expect(t, next, "ADDED c/z a=3,b=4")
	a.events <- "" // ends
	a.events <- event("MODIFIED", "x", "9")
	if got := next(); !strings.HasPrefix(got, "MODIFIED a/x a=9,b=4") {
		t.Error(got)
	}
	a.mu.Lock()
	var watches []string
	for _, query := range a.asked {
		if strings.Contains(query, "watch=true") {
			watches = append(watches, query)
		}
	}
	a.mu.Unlock()
	if len(watches) != 2 || !strings.Contains(watches[0], "resourceVersion=3") {
		t.Errorf("a was watched from %q", watches)
	}
	// What b had is not known: who watches has to begin anew.
	b.events <- expired
	expect(t, next, "ERROR 410", "end")
}

func TestWatchesTakeAPlaceForEachCluster(t *testing.T) {
	t.Parallel()
	server := serve(t, &hostOfMany{members: []*standIn{newMember(t, "a", "x"), newMember(t, "b"), newMember(t, "c"), newMember(t, "d")}})
	for range 2 {
		next, _ := watched(t, server, "")
		if got := next(); !strings.HasPrefix(got, "ADDED a/x ") {
			t.Fatal(got)
		}
	}
	if l := get(t, server, configMaps+"?watch=1"); l.code != http.StatusTooManyRequests {
		t.Errorf("got %+v", l)
	}
	if l := get(t, server, configMaps); l.code != http.StatusOK { // the other two are left
		t.Errorf("got %+v", l)
	}
}

func TestAWatchOfMoreClustersThanPlacesIsRefusedForGood(t *testing.T) {
	t.Parallel()
	h := &hostOfMany{}
	for i := range 11 {
		h.members = append(h.members, newMember(t, fmt.Sprintf("m%02d", i)))
	}
	l := get(t, serve(t, h), configMaps+"?watch=1")
	if l.code != http.StatusBadRequest || !strings.Contains(l.text, "a watch of 11 clusters") || strings.Contains(l.text, "retryAfter") {
		t.Errorf("got %+v", l)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func TestAWatchThatEndsSoonDoesNotWaitUntilThenForAMemberThatHangs(t *testing.T) {
	t.Parallel()
	a, b := newMember(t, "a", "x"), newMember(t, "b")
	server := serve(t, &hostOfMany{members: []*standIn{a, b}})
	get(t, server, configMaps) // connects
	b.does(hangs)
	next, warnings := watched(t, server, "timeoutSeconds=8")
	if len(warnings) != 1 || !strings.Contains(warnings[0], "cluster b is missing (TimedOut)") {
		t.Error(warnings)
	}
	expect(t, next, "ADDED a/x 0")
}

func TestWaitingForMembersThatHangIsNotTheTimeOfOthers(t *testing.T) {
	t.Parallel()
	h := &hostOfMany{members: []*standIn{newMember(t, "m8x", "x")}}
	for i := range 3 * mostAtOnce {
		m := newMember(t, fmt.Sprintf("m%02d", i))
		m.does(hangs)
		h.members = append(h.members, m)
	}
	l := get(t, serve(t, h), configMaps+"?timeout=5s")
	if l.code != http.StatusOK || !slices.Equal(l.places, []string{"m8x/x"}) {
		t.Errorf("got %v %v %v", l.code, l.places, l.warnings)
	}
}

// Those that hang do not wait for each other either: all are asked before the first has taken all
// of its time.
func TestMembersThatHangKeepNobodyFromBeingAsked(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	last := newMember(t, "m9", "x")
	last.does(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		last.list(w, r, last.names)
	})
	h := &hostOfMany{members: []*standIn{last}}
	for i := range 3 * mostAtOnce {
		m := newMember(t, fmt.Sprintf("m%02d", i), "x")
		m.does(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-asked:
				m.list(w, r, m.names)
			case <-r.Context().Done():
			}
		})
		h.members = append(h.members, m)
	}
	l := get(t, serve(t, h), configMaps+"?timeout=20s")
	if l.code != http.StatusOK || len(l.places) != len(h.members) || len(l.warnings) > 0 {
		t.Errorf("got %v %d %v", l.code, len(l.places), l.warnings)
	}
}

// What many members have of one name is not held together before any of it is written. It runs
// alone: the memory is that of all.
func TestLargeObjectsOfOneNameAreNotHeldTogether(t *testing.T) {
	const size = union.MostOfValue / 2
	h := &hostOfMany{}
	object := fmt.Appendf(nil, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{"a":%q}}`, strings.Repeat("x", size))
	for i := range mostAtOnce {
		m := newMember(t, fmt.Sprintf("m%02d", i))
		m.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(object) })
		h.members = append(h.members, m)
	}
	server := serve(t, h)
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	before := inUse()
	most, stop := watchMemory()
	response, err := server.Client().Get(server.URL + fleetv1alpha1.ProxyPath(fleetv1alpha1.AllClusters) + configMaps + "/x?timeout=1m")
	if err != nil {
		t.Fatal(err)
	}
	stop() // all have been asked
	_ = response.Body.Close()
	if together := uint64(mostAtOnce * size); response.StatusCode != http.StatusOK || len(response.Header["Warning"]) > 0 || most()-before > together/2 {
		t.Errorf("%s, %v: %d MiB in use for %d MiB", response.Status, response.Header["Warning"], (most()-before)>>20, together>>20)
	}
}

// What is large of one name is not kept until all have answered.
func TestLargeObjectsOfOneNameAreAskedForAgain(t *testing.T) {
	t.Parallel()
	h := &hostOfMany{}
	object := fmt.Sprintf(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{"a":%q}}`, strings.Repeat("x", mostAhead/2))
	for i := range 3 {
		m := newMember(t, fmt.Sprintf("m%d", i))
		m.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, object) })
		h.members = append(h.members, m)
	}
	l := get(t, serve(t, h), configMaps+"/x")
	if l.code != http.StatusOK || l.err != nil || !slices.Equal(l.places, []string{"m0/x", "m1/x", "m2/x"}) {
		t.Errorf("got %v %v %v %v", l.code, l.places, l.warnings, l.err)
	}
	for i, m := range h.members {
		if want := min(i, 1) + 1; len(m.asked) != want {
			t.Errorf("%s was asked %d times, not %d", m.name, len(m.asked), want)
		}
	}
}

func TestWatchesNameWhoIsMissing(t *testing.T) {
	t.Parallel()
	a, b := newMember(t, "a", "x"), newMember(t, "b", "y")
	b.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	server := serve(t, &hostOfMany{members: []*standIn{a, b}})
	get(t, server, configMaps) // connects
	next, warnings := watched(t, server, "allowWatchBookmarks=1&timeout=5s")
	if len(warnings) != 1 || !strings.Contains(warnings[0], "cluster b is missing (Failed)") {
		t.Error(warnings)
	}
	expect(t, next, "ADDED a/x 0") // b is missing
	b.does(nil)
	for got := next(); got != "ADDED b/y a=7"; got = next() {
		if !strings.HasPrefix(got, "BOOKMARK") {
			t.Fatal(got)
		}
	}

	// Without bookmarks nobody would hear of one that is lost.
	quiet, _ := watched(t, server, "timeout=5s")
	for range 2 {
		if got := quiet(); !strings.HasPrefix(got, "ADDED ") {
			t.Fatal(got)
		}
	}
	b.does(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	b.CloseClientConnections()
	expect(t, quiet, "ERROR 503", "end")
	for got := next(); ; got = next() {
		if strings.HasPrefix(got, "BOOKMARK") && strings.Contains(got, `"b":{"reason":"Failed"`) {
			break
		} else if got == "end" {
			t.Fatal("the watch with bookmarks has ended")
		}
	}
}

// A member that answers and then says an error is as lost as one that does not answer.
func TestWatchesNameMembersThatFailOnceTheyHaveAnswered(t *testing.T) {
	t.Parallel()
	items := `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"y","uid":"1"}}`
	for name, does := range map[string]http.HandlerFunc{
		"watch": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("watch") != "" {
				_, _ = fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","code":500,"message":"no"}}`)
				return
			}
			_, _ = fmt.Fprint(w, items+"]}")
		},
		"list": func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, items) },
		"list no end": func(w http.ResponseWriter, r *http.Request) {
			page, _ := strconv.Atoi(r.URL.Query().Get("continue"))
			_, _ = fmt.Fprintf(w, `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"%d"},"items":[]}`, page+1)
		},
		"what is no object": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("watch") != "" {
				_, _ = fmt.Fprintln(w, `{"type":"ADDED","object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"z"},"metadata":{"name":"z"}}}`)
				return
			}
			_, _ = fmt.Fprint(w, items+"]}")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newMember(t, "a"), newMember(t, "b")
			server := serve(t, &hostOfMany{members: []*standIn{a, b}})
			get(t, server, configMaps) // connects
			b.does(does)
			next, _ := watched(t, server, "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeout=3s")
			for missing, initial := false, false; !missing || !initial; {
				got := next()
				missing = missing || strings.Contains(got, `{"b":{"reason":`)
				initial = initial || strings.HasSuffix(got, "true")
				if got == "end" {
					t.Fatal("the watch has ended")
				}
			}
		})
	}
}
