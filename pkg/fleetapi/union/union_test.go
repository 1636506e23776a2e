package union

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestVersionsAreReadAsTheyAreWritten(t *testing.T) {
	v := Version{"b": "2", "a": "10", "a.c": "x-1"}
	if got := v.String(); got != "a=10,a.c=x-1,b=2" {
		t.Errorf("got %s", got)
	}
	read, err := ParseVersion(v.String())
	if err != nil || !maps.Equal(read, v) {
		t.Errorf("got %v %v", read, err)
	}
	for _, text := range []string{"", "0"} {
		if read, err := ParseVersion(text); err != nil || len(read) != 0 {
			t.Errorf("%q: %v %v", text, read, err)
		}
	}
	for _, text := range []string{"12", "a", "a=", "=1", "a=1,", "a=1,a=2", "A=1", "a=1&b=2", "a=1\n", "a/b=1", strings.Repeat("a=1,", mostClusters+1), "a=" + strings.Repeat("1", mostOfVersion+1)} {
		if read, err := ParseVersion(text); err == nil {
			t.Errorf("%.30q is read as %v", text, read)
		}
	}
	v.Set("c", "1,d=2")
	v.Set("d", "")
	v.Set("e=1,f", "1")
	if len(v) != 3 {
		t.Errorf("what is no version is taken: %v", v)
	}
}

func TestTokensLeadToWhatIsLeftAndMayBeRead(t *testing.T) {
	token := Token{Versions: Version{"a": "1", "b": "2", "c": "3", "d": "4"}, At: "b", Continue: "abc", Kind: "PodList", Missing: map[string]string{"e": NotReady}}
	read, err := ParseToken(token.String())
	if err != nil || read.String() != token.String() || read.Continue != "abc" || read.Missing["e"] != NotReady {
		t.Fatalf("got %v %v", read, err)
	}
	left, gone := read.Left([]string{"a", "b", "d", "new"})
	if !slices.Equal(left, []string{"b", "d"}) || !slices.Equal(gone, []string{"c"}) {
		t.Errorf("left %v, gone %v", left, gone)
	}
	read, err = ParseToken(Token{Versions: Version{"a": "1"}, At: "b", Rest: []string{"c", "d"}}.String())
	if err != nil {
		t.Fatal(err)
	}
	if left, gone := read.Left([]string{"a", "b", "d", "new"}); !slices.Equal(left, []string{"b", "d"}) || !slices.Equal(gone, []string{"c"}) {
		t.Errorf("of clusters that say no version: left %v, gone %v", left, gone)
	}
	for _, text := range []string{Token{At: "b", Rest: []string{"no/name"}}.String(), Token{At: "b", Kind: "no kind"}.String(), "x", "{}", "e30", "eyJmIjoyLCJhIjoiYSJ9", strings.Repeat("a", mostOfToken+1), token.String()[1:]} {
		if read, err := ParseToken(text); err == nil {
			t.Errorf("%.30q is read as %v", text, read)
		}
	}
}

func FuzzTokens(f *testing.F) {
	f.Add(Token{Versions: Version{"a": "1", "b": "2"}, At: "a", Continue: "x"}.String(), "a=1,b=2", "limit=1&clusters=a,b")
	f.Add("e30", "a=1,,", "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=1")
	f.Fuzz(func(t *testing.T, token, version, query string) {
		readable := []string{"a", "b"}
		if read, err := ParseToken(token); err == nil {
			left, _ := read.Left(readable)
			for _, cluster := range left {
				if !slices.Contains(readable, cluster) {
					t.Errorf("the token leads to %q", cluster)
				}
			}
			if again, err := ParseToken(read.String()); err != nil || again.String() != read.String() {
				t.Errorf("read again: %v %v", again, err)
			}
		}
		if read, err := ParseVersion(version); err == nil {
			if again, err := ParseVersion(read.String()); err != nil || !maps.Equal(again, read) {
				t.Errorf("read again: %v %v", again, err)
			}
		}
		if p, err := ParseParameters(query); err == nil {
			for name := range p.ForMembers {
				if !slices.Contains(forMembers, name) {
					t.Errorf("the parameter %q gets to members", name)
				}
			}
			if p.Timeout <= 0 || p.Timeout > mostTimeout {
				t.Errorf("a member may take %s", p.Timeout)
			}
		}
	})
}

func TestParameters(t *testing.T) {
	p, err := ParseParameters("clusters=b,a&clusters=b&limit=5&labelSelector=x%3Dy&timeout=10s&require=all&resourceVersion=a%3D1&pretty=1")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Clusters, []string{"a", "b"}) || p.Limit != 5 || p.Timeout != 8*time.Second || !p.RequireAll || p.ResourceVersion["a"] != "1" {
		t.Errorf("got %+v", p)
	}
	if want := (url.Values{"labelSelector": {"x=y"}}); p.ForMembers.Encode() != want.Encode() {
		t.Errorf("members get %v", p.ForMembers)
	}
	for query, want := range map[string]struct{ initial, end bool }{
		"watch=1":                          {true, false},
		"watch=1&resourceVersion=0":        {true, false},
		"watch=true&resourceVersion=a%3D1": {false, false},
		"watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=a%3D1": {true, true},
		"watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan":                                               {false, false},
		"watch=0": {false, false},
	} {
		if p, err := ParseParameters(query); err != nil || p.Initial != want.initial || p.InitialEnd != want.end {
			t.Errorf("%s: %v %+v", query, err, p)
		}
	}
	for _, query := range []string{
		"cluster=a", "clusters=", "clusters=a/b", "clusters=-x%00", "clusters=a&clusterSelector=x", "clusterSelector=((", "require=none", "timeout=x", "timeout=-1s",
		"limit=x", "limit=-1", "continue=x", "resourceVersion=5", "resourceVersionMatch=Exact", "resourceVersionMatch=x", "sendInitialEvents=true",
		"watch=1&resourceVersionMatch=NotOlderThan", "watch=1&sendInitialEvents=true", "timeoutSeconds=x", "a=%zz", "dryRun=All",
		"watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
	} {
		if p, err := ParseParameters(query); err == nil {
			t.Errorf("%s is taken: %+v", query, p)
		}
	}
}

func TestForms(t *testing.T) {
	const kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
	for header, want := range map[string]Form{
		"":      {},
		kubectl: {Table, "v1"},
		"application/vnd.kubernetes.protobuf, */*": {},
		"application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json": {Metadata, "v1"},
		"application/json;as=Table;v=v1;g=other,application/json":              {},
		"application/json;q=0.1, application/json;as=Table;v=v1;g=meta.k8s.io": {Table, "v1"},
	} {
		if got, ok := Accept([]string{header}); !ok || got != want {
			t.Errorf("%s: %v %v", header, got, ok)
		}
	}
	for _, header := range []string{"text/html", "application/yaml", "application/json;q=0", "application/json;as=Other;g=meta.k8s.io;v=v1"} {
		if got, ok := Accept([]string{header}); ok {
			t.Errorf("%s: %v", header, got)
		}
	}
	if got := (Form{Metadata, "v1"}).List(); got != "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1" {
		t.Error(got)
	}
}

func readList(from io.Reader, form Form) (Head, []string, error) {
	list := NewList(from, form)
	var items []string
	for {
		item, err := list.Next()
		if errors.Is(err, io.EOF) {
			return list.Head, items, nil
		} else if err != nil {
			return list.Head, items, err
		}
		items = append(items, string(item))
	}
}

func TestListsAreReadAsTheyCome(t *testing.T) {
	for name, text := range map[string]string{
		"as types are written":            `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"x"},"items":[{"a":"]}\"{"},{"b":[{}]}]}`,
		"as custom resources are written": `{"apiVersion":"v1","items":[{"a":"]}\"{"} , {"b":[{}]}], "kind":"PodList" , "metadata":{"continue":"x","resourceVersion":"7"}}` + "\n",
	} {
		for _, reader := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
			head, items, err := readList(reader, Form{})
			if err != nil || head.Kind != "PodList" || head.ResourceVersion != "7" || head.Continue != "x" || !slices.Equal(items, []string{`{"a":"]}\"{"}`, `{"b":[{}]}`}) {
				t.Errorf("%s: %+v %q %v", name, head, items, err)
			}
		}
	}
	if _, items, err := readList(strings.NewReader(`{"kind":"PodList","apiVersion":"v1","metadata":{},"items":null}`), Form{}); err != nil || items != nil {
		t.Errorf("no items: %v %v", items, err)
	}
	for _, text := range []string{
		"", "[]", "{", `{"kind":"PodList"`, `{"kind":"PodList","apiVersion":"v1","items":[{}`, `{"kind":"PodList","apiVersion":"v1","items":[{"a":}]}`,
		`{"kind":"PodList","apiVersion":"v1","items":[5]}`, `{"kind":"Pod","apiVersion":"v1","items":[]}`, `{"kind":"Table","apiVersion":"v1","items":[]}`,
		`{"kind":"PodList","apiVersion":"v1","items":[{"a":"` + strings.Repeat("x", MostOfValue) + `"}]}`,
		`{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"` + strings.Repeat("x", mostOfContinue+1) + `"},"items":[]}`,
	} {
		if _, _, err := readList(strings.NewReader(text), Form{}); err == nil {
			t.Errorf("%.60q is read", text)
		}
	}
}

func TestObjectsBearTheirCluster(t *testing.T) {
	for object, want := range map[string]string{
		`{"metadata":{"name":"a"},"x":1}`: `{"metadata":{"name":"a","annotations":{"fleet.fedctl.io/cluster":"m"}},"x":1}`,
		`{"kind":"Pod","metadata":{"annotations":{"a":"b","fleet.fedctl.io/cluster":"other","fleet.fedctl.io\/missing":"x"},"name":"a"}}`: `{"kind":"Pod","metadata":{"name":"a","annotations":{"fleet.fedctl.io/cluster":"m","a":"b"}}}`,
		`{"meta\u0064ata":{"annotations":null}}`: `{"metadata":{"annotations":{"fleet.fedctl.io/cluster":"m"}}}`,
	} {
		got, err := AppendObject(nil, []byte(object), Mark{Cluster: "m"})
		if err != nil || string(got) != want {
			t.Errorf("%s: %s %v", object, got, err)
		}
	}
	got, err := AppendObject(nil, []byte(`{"metadata":{"name":"a","resourceVersion":"5"}}`), Mark{Cluster: "m", Kind: "Pod", APIVersion: "v1", Version: "m=5"})
	if want := `{"metadata":{"name":"a","resourceVersion":"m=5","annotations":{"fleet.fedctl.io/cluster":"m","fleet.fedctl.io/resource-version":"5"}},"kind":"Pod","apiVersion":"v1"}`; err != nil || string(got) != want {
		t.Errorf("%s %v", got, err)
	}
	for _, object := range []string{`[]`, `{}`, `{"metadata":5}`, `{"metadata":{},"metadata":{}}`, `{"metadata":{"annotations":{},"annotations":{}}}`, `{"metadata":{"name":"a","name":"b"}}`} {
		if got, err := AppendObject(nil, []byte(object), Mark{Cluster: "m"}); err == nil {
			t.Errorf("%s becomes %s", object, got)
		}
	}
}

func FuzzObjects(f *testing.F) {
	f.Add(`{"kind":"Pod","metadata":{"name":"a","annotations":{"fleet.fedctl.io/cluster":"x"}},"spec":[1,"}",null,true,-1.5e3]}`)
	f.Add(`{"items":[{"metadata":{}}],"kind":"PodList","apiVersion":"v1"}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _, _ = readList(strings.NewReader(text), Form{}) // it is to end
		_, _, _ = readList(strings.NewReader(text), Form{As: Table})
		if !json.Valid([]byte(text)) {
			return
		}
		tableHead([]byte(text))
		marked, err := AppendObject(nil, []byte(text), Mark{Cluster: "m", Version: "m=1"})
		if err != nil {
			return
		}
		var object metav1.PartialObjectMetadata
		if !json.Valid(marked) {
			t.Fatalf("%q becomes %q", text, marked)
		}
		if json.Unmarshal(marked, &object) == nil && object.Annotations[AnnotationCluster] != "m" && !strings.Contains(strings.ToLower(text), "metadata") {
			t.Errorf("%q becomes %q", text, marked)
		}
	})
}

func TestTablesAreOne(t *testing.T) {
	a := ParseColumns([]byte(`[{"name":"Name","type":"string","format":"name"},{"name":"Age","type":"string"}]`))
	b := ParseColumns([]byte(`[{"name":"Name","type":"string"},{"name":"New","type":"string"},{"name":"Age","type":"string"}]`))
	all := a.Union(b)
	head := string(AppendHead(nil, Head{Kind: Table, APIVersion: "meta.k8s.io/v1"}, all))
	if want := `{"kind":"Table","apiVersion":"meta.k8s.io/v1","columnDefinitions":[` + clusterColumn + `,{"name":"Name","type":"string","format":"name"},{"name":"Age","type":"string"},{"name":"New","type":"string"}],"rows":[`; head != want {
		t.Errorf("got %s", head)
	}
	row, err := AppendRow(nil, []byte(`{"cells":["x","new",{"y":[1]}],"object":{"metadata":{"name":"x"}}}`), MappingOf(all, b), Mark{Cluster: "m"})
	if want := `{"object":{"metadata":{"name":"x","annotations":{"fleet.fedctl.io/cluster":"m"}}},"cells":["m","x",{"y":[1]},"new"]}`; err != nil || string(row) != want {
		t.Errorf("got %s %v", row, err)
	}
	row, err = AppendRow(nil, []byte(`{"cells":["x",1],"object":null}`), MappingOf(all, a), Mark{Cluster: "m"})
	if want := `{"object":null,"cells":["m","x",1,null]}`; err != nil || string(row) != want {
		t.Errorf("got %s %v", row, err)
	}
	if row, err := AppendRow(nil, []byte(`{"cells":["x"]}`), MappingOf(all, a), Mark{}); err == nil {
		t.Errorf("a row that is too short becomes %s", row)
	}
}

func TestEventsAreReadOneByOne(t *testing.T) {
	events := NewEvents(iotest.OneByteReader(strings.NewReader(`{"type":"ADDED","object":{"metadata":{"name":"a"}}}` + "\n" + `{"object":{},"type":"BOOKMARK"}` + "\n")))
	var kinds []string
	for {
		event, err := events.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, event.Type+string(event.Object))
	}
	if !slices.Equal(kinds, []string{`ADDED{"metadata":{"name":"a"}}`, "BOOKMARK{}"}) {
		t.Errorf("got %v", kinds)
	}
	for _, text := range []string{"{}", `{"type":"OTHER","object":{}}`, `{"type":"ADDED"}`, `{"type":"ADDED","object":5}`, `{"type":"ADDED","object":{}`} {
		if event, err := NewEvents(strings.NewReader(text)).Next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v %v", text, event, err)
		}
	}
}

func TestWhatIsListedIsComparedWithWhatWasTold(t *testing.T) {
	told, listed := NewKnown(), NewKnown()
	for _, name := range []string{"same", "changed", "recreated", "gone"} {
		told.Note(Added, Identity{"n", name, "u-" + name, "1"})
	}
	told.Note(Added, Identity{"n", "deleted", "u", "1"})
	told.Note(Deleted, Identity{"n", "deleted", "u", "2"})
	for id, want := range map[Identity]string{
		{"n", "same", "u-same", "1"}:       "",
		{"n", "changed", "u-changed", "2"}: Modified,
		{"n", "recreated", "other", "3"}:   Added,
		{"n", "new", "u", "4"}:             Added,
		{"n", "deleted", "u", "5"}:         Added,
	} {
		listed.Note(Added, id)
		if kind, recreated := told.Listed(id); kind != want || (recreated != nil) != (id.Name == "recreated") {
			t.Errorf("%v: %q %v", id, kind, recreated)
		}
	}
	if gone := told.Vanished(listed); len(gone) != 1 || gone[0].Name != "gone" {
		t.Errorf("gone: %v", gone)
	}
	for n := range MostKnown + 1 {
		told.Note(Added, Identity{Name: strings.Repeat("x", n%200) + string(rune('a'+n%26)), Namespace: string(rune(n + 1000))})
	}
	if told.Complete {
		t.Error("more is remembered than may be")
	}
}

func TestMissingClustersAreNamed(t *testing.T) {
	missing := []Missing{{"b", Failed, "it\nfails"}, {"a", Forbidden, ""}, {"c", Forbidden, ""}}
	if got := Warnings(missing); !slices.Equal(got, []string{"cluster b is missing (Failed): it fails", "missing, since the host does not let you read them (get clusters/proxy), 2 in all: a, c"}) {
		t.Errorf("got %q", got)
	}
	var many []Missing
	for n := range 100 {
		many = append(many, Missing{string(rune('a' + n)), NotReady, strings.Repeat("x", 5000)})
	}
	lines := Warnings(many)
	if len(lines) != mostWarned+1 || len(strings.Join(lines, "")) > mostWarned*mostReasons+2*mostListed {
		t.Errorf("%d lines", len(lines))
	}
	tail := string(AppendTail(nil, Version{"b": "1"}, &Token{At: "b"}, missing))
	var list metav1.PartialObjectMetadataList
	if err := json.Unmarshal([]byte(`{"items":[]`+tail), &list); err != nil || list.ResourceVersion != "b=1" || list.Continue == "" || !strings.Contains(tail, AnnotationMissing) {
		t.Errorf("%s %v", tail, err)
	}
}

func TestWhatIsServedAnywhereIsServed(t *testing.T) {
	resource := func(name string, verbs ...string) apidiscoveryv2.APIResourceDiscovery {
		return apidiscoveryv2.APIResourceDiscovery{Resource: name, Verbs: verbs, Scope: apidiscoveryv2.ScopeNamespace, ResponseKind: &metav1.GroupVersionKind{Kind: "K"}}
	}
	group := func(name, version string, resources ...apidiscoveryv2.APIResourceDiscovery) apidiscoveryv2.APIGroupDiscoveryList {
		return apidiscoveryv2.APIGroupDiscoveryList{Items: []apidiscoveryv2.APIGroupDiscovery{{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Versions: []apidiscoveryv2.APIVersionDiscovery{{Version: version, Resources: resources}},
		}}}
	}
	all := Discovery([]apidiscoveryv2.APIGroupDiscoveryList{
		group("apps", "v1beta1", resource("deployments", "get", "list", "create")),
		group("apps", "v1", resource("deployments", "get", "watch"), resource("reviews", "create")),
		group("reviews", "v1", resource("reviews", "create")),
	})
	groups := Groups(all)
	if len(groups.Groups) != 1 || groups.Groups[0].PreferredVersion.Version != "v1" || len(groups.Groups[0].Versions) != 2 {
		t.Errorf("got %+v", groups)
	}
	list := Resources(all, "apps", "v1")
	if list == nil || len(list.APIResources) != 1 || !slices.Equal(list.APIResources[0].Verbs, []string{"get", "watch"}) || list.APIResources[0].Kind != "K" {
		t.Errorf("got %+v", list)
	}
	if Resources(all, "apps", "v9") != nil {
		t.Error("v9 is served")
	}
}

func TestMostSay(t *testing.T) {
	a, b, none := Head{Kind: "AList", APIVersion: "v1"}, Head{Kind: "BList", APIVersion: "v1"}, Head{}
	for name, test := range map[string]struct {
		heads []Head
		want  Head
	}{
		"none":                 {nil, none},
		"none with a kind":     {[]Head{none, none}, none},
		"one":                  {[]Head{none, none, a}, a},
		"most":                 {[]Head{a, b, none, b}, b},
		"the first of as many": {[]Head{b, a, a, b}, b},
		"of another version":   {[]Head{{Kind: "AList", APIVersion: "v2"}, a, a}, a},
	} {
		if got := MostSay(test.heads); !got.Same(test.want) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// A token that is too long for any use is found before anybody asks with it.
func TestATokenThatIsTooLongIsRefusedAtOnce(t *testing.T) {
	for _, length := range []int{mostOfContinue, mostOfContinue + 1} {
		l := NewList(strings.NewReader(`{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"`+strings.Repeat("x", length)+`"},"items":[{"metadata":{"name":"a"}}`), Form{})
		if _, err := l.Next(); (err == nil) != (length <= mostOfContinue) {
			t.Errorf("%d letters: %v", length, err)
		}
	}
}
