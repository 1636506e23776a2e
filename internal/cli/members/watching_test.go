package members

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// standIn is a server in the place of a member's API server, with ConfigMaps.
type standIn struct {
	*httptest.Server
	events chan string // of watches; an empty one ends a watch

	mu     sync.Mutex
	names  []string
	broken bool
	gone   bool // for watches of any version
	lists  int
}

func newStandIn(t *testing.T, names ...string) *standIn {
	s := &standIn{names: names, events: make(chan string)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *standIn) set(names []string, broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names, s.broken = names, broken
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	names, broken, gone := s.names, s.broken, s.gone
	watches := r.URL.Query().Get("watch") != ""
	if !watches {
		s.lists++
	}
	s.mu.Unlock()
	switch {
	case broken:
		w.WriteHeader(http.StatusInternalServerError)
	case watches && gone:
		w.WriteHeader(http.StatusGone)
		_, _ = fmt.Fprint(w, `{"kind":"Status","code":410,"reason":"Expired","message":"too old"}`)
	case watches:
		_ = http.NewResponseController(w).Flush()
		for {
			select {
			case event := <-s.events:
				if event == "" {
					return
				}
				_, _ = fmt.Fprintln(w, event)
				_ = http.NewResponseController(w).Flush()
			case <-r.Context().Done():
				return
			}
		}
	default:
		list := corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{Kind: "ConfigMapList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
		for _, name := range names {
			list.Items = append(list.Items, corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, UID: "1", ResourceVersion: "5"}})
		}
		_ = json.NewEncoder(w).Encode(list)
	}
}

func (s *standIn) says(kind, name, version string) {
	s.events <- fmt.Sprintf(`{"type":%q,"object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":%q,"uid":"1","resourceVersion":%q}}}`, kind, name, version)
}

const expiredEvent = `{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}`

// jointly lists ConfigMaps of members and watches them from there. It returns their names, and
// what reads the events as TYPE CLUSTER/NAME VERSION.
func jointly(t *testing.T, requireAll bool, of map[string]*standIn, missing ...union.Missing) (listed string, next func() string, again chan *Reached) {
	reached := &Reached{Way: Contexts, Missing: missing}
	for name, s := range of {
		reached.Members = append(reached.Members, newMember(name, &rest.Config{Host: s.URL}))
	}
	again = make(chan *Reached, 1)
	config := Joint(reached, requireAll, func(context.Context) (*Reached, error) { return <-again, nil })
	ask := func(query string) io.Reader {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/api/v1/namespaces/default/configmaps?"+query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := config.Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response.Body
	}
	var list metav1.PartialObjectMetadataList
	if err := json.NewDecoder(ask("")).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		listed += list.Items[i].Annotations[union.AnnotationCluster] + "/" + list.Items[i].Name + " "
	}
	lines := bufio.NewReader(ask("watch=true&resourceVersion=" + strings.ReplaceAll(list.ResourceVersion, "=", "%3D")))
	return listed + list.ResourceVersion, func() string {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return "end"
		}
		var event struct {
			Type   string
			Object metav1.PartialObjectMetadata
		}
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if a := event.Object.Annotations; event.Type == union.Bookmark {
			return strings.TrimSpace("BOOKMARK " + a[union.AnnotationMissing])
		} else if event.Type != union.Error {
			return fmt.Sprintf("%s %s/%s %s", event.Type, a[union.AnnotationCluster], event.Object.Name, event.Object.ResourceVersion)
		}
		return fmt.Sprintf("ERROR %s", line)
	}, again
}

func expect(t *testing.T, next func() string, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := next(); !strings.HasPrefix(got, want) {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestWatchesOfMembersAreOne(t *testing.T) {
	t.Parallel()
	a, b := newStandIn(t, "x"), newStandIn(t, "y")
	listed, next, _ := jointly(t, false, map[string]*standIn{"a": a, "b": b})
	if listed != "a/x b/y a=7,b=7" {
		t.Fatal(listed)
	}
	b.says("ADDED", "z", "8")
	expect(t, next, "ADDED b/z a=7,b=8")
	a.says("MODIFIED", "x", "9")
	expect(t, next, "MODIFIED a/x a=9,b=8")
	b.events <- "" // it is taken up again
	b.says("DELETED", "z", "10")
	expect(t, next, "DELETED b/z a=9,b=10")

	// One that does not remember is compared with what was told, and listed before.
	a.set([]string{"new"}, false)
	a.events <- expiredEvent
	expect(t, next, "ADDED a/new ", "DELETED a/x ")
	a.says("MODIFIED", "new", "11")
	expect(t, next, "MODIFIED a/new a=11,b=10")
}

func TestAMemberThatIsLostWhileItIsWatchedIsNamed(t *testing.T) {
	t.Parallel()
	a, b := newStandIn(t, "x"), newStandIn(t, "y")
	_, next, _ := jointly(t, false, map[string]*standIn{"a": a, "b": b})
	b.says("MODIFIED", "y", "8")
	expect(t, next, "MODIFIED b/y")
	b.set(nil, true)
	b.events <- ""
	expect(t, next, `BOOKMARK {"b":{"reason":"Failed"`)
	a.says("MODIFIED", "x", "9")
	expect(t, next, "MODIFIED a/x")
	b.set([]string{"y"}, false)
	b.says("DELETED", "y", "9")
	if got := next(); got != "BOOKMARK" {
		t.Fatal(got)
	}
	expect(t, next, "DELETED b/y")
}

// A member that takes no list for new enough to be watched is named once, and listed ever more
// seldom. What it has is told all the same.
func TestAMemberWhoseWatchesDoNotHoldIsNamed(t *testing.T) {
	t.Parallel()
	a, b := newStandIn(t, "x"), newStandIn(t, "y")
	b.gone = true
	_, next, _ := jointly(t, false, map[string]*standIn{"a": a, "b": b})
	expect(t, next, `BOOKMARK {"b":{"reason":"Failed","message":"its watches do not hold, so it is listed from time to time: too old"}}`)
	b.mu.Lock()
	if b.lists > 2 {
		t.Errorf("it was listed %d times before", b.lists)
	}
	b.mu.Unlock()
	b.set([]string{"y", "z"}, false)
	expect(t, next, "ADDED b/z")
	a.says("MODIFIED", "x", "9")
	expect(t, next, "MODIFIED a/x") // and not that it is back
}

func TestAMemberWhoseWatchesDidNotHoldIsBackWhenOneLasts(t *testing.T) {
	f := &follower{jointWatch: &jointWatch{tells: make(chan told)}, cluster: "a"}
	go f.fleets(t.Context(), errOtherKind)
	if said := <-f.tells; said.lost == nil || said.lost.Cluster != "a" {
		t.Fatalf("got %+v", said)
	}
	f.works(t.Context()) // tells nothing
	go f.holds(t.Context())
	if said := <-f.tells; !said.back {
		t.Errorf("got %+v", said)
	}
}

func TestAMemberThatIsMissingInTheListIsToldOfWhenItIsThere(t *testing.T) {
	t.Parallel()
	a, b := newStandIn(t, "x"), newStandIn(t, "y")
	b.set(nil, true)
	listed, next, _ := jointly(t, false, map[string]*standIn{"a": a, "b": b})
	if listed != "a/x a=7" {
		t.Fatal(listed)
	}
	b.set([]string{"y"}, false)
	expect(t, next, "ADDED b/y")
	if got := next(); got != "BOOKMARK" {
		t.Fatal(got)
	}
}

func TestAWatchThatRequiresAllEndsWithTheFirstThatIsLost(t *testing.T) {
	t.Parallel()
	a, b := newStandIn(t, "x"), newStandIn(t, "y")
	_, next, _ := jointly(t, true, map[string]*standIn{"a": a, "b": b})
	b.says("MODIFIED", "y", "8")
	expect(t, next, "MODIFIED b/y")
	b.set(nil, true)
	b.events <- ""
	expect(t, next, "ERROR", "end")
}

// lookAgain is long; what comes of it is the same at once.
func TestAMemberThatCouldNotBeReachedIsTakenUp(t *testing.T) {
	t.Parallel()
	a, b := newStandIn(t, "x"), newStandIn(t, "y")
	listed, next, again := jointly(t, false, map[string]*standIn{"a": a}, union.Missing{Cluster: "b", Reason: NoContext})
	if listed != "a/x a=7" {
		t.Fatal(listed)
	}
	again <- &Reached{Members: []Member{newMember("a", &rest.Config{Host: a.URL}), newMember("b", &rest.Config{Host: b.URL})}}
	expect(t, next, "ADDED b/y")
	if got := next(); got != "BOOKMARK" {
		t.Fatal(got)
	}
	b.says("MODIFIED", "y", "8")
	expect(t, next, "MODIFIED b/y a=7,b=8")
}

// A member that does not serve the type is not one that has no objects of it.
func TestAMemberThatDoesNotServeTheTypeIsMissing(t *testing.T) {
	t.Parallel()
	a := newStandIn(t, "x")
	none := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"kind":"Status","status":"Failure","reason":"NotFound","message":"the server could not find the requested resource","details":{},"code":404}`)
	}))
	t.Cleanup(none.Close)
	for path, want := range map[string]string{"": "cluster b is missing (NotServed)", "/x": "cluster b is missing (NotServed)"} {
		config := Joint(&Reached{Members: []Member{newMember("a", &rest.Config{Host: a.URL}), newMember("b", &rest.Config{Host: none.URL})}}, false, nil)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/api/v1/namespaces/default/configmaps"+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := config.Transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := strings.Join(response.Header["Warning"], "\n"); !strings.Contains(got, want) {
			t.Errorf("%q: %q", path, got)
		}
	}
}

// A member that is back stays one that is lost until that was told: a watch that ends meanwhile
// tells nothing.
func TestFollowerIsLostUntilItIsToldThatItIsBack(t *testing.T) {
	f := &follower{jointWatch: &jointWatch{tells: make(chan told)}, cluster: "a", lost: true}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	f.works(over)
	if !f.lost {
		t.Fatal("nobody was told that it is back")
	}
	go f.works(t.Context())
	if said := <-f.tells; !said.back || said.cluster != "a" {
		t.Errorf("got %+v", said)
	}
}
