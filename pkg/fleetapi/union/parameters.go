package union

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Parameters of the query that are for all clusters, beside those of Kubernetes.
const (
	ClustersParameter        = "clusters"
	ClusterSelectorParameter = "clusterSelector"
	RequireParameter         = "require"
	timeoutParameter         = "timeout"
)

const (
	defaultTimeout = 10 * time.Second
	mostTimeout    = time.Minute
	mostOfQuery    = 2 << 20
)

// Parameters are what the query of a request asks for.
type Parameters struct {
	// Clusters are those named; nil: all that Selector selects.
	Clusters []string
	Selector labels.Selector
	// RequireAll makes an error of a cluster that is missing.
	RequireAll bool
	// Timeout is how long a member may take.
	Timeout time.Duration

	Limit           int
	Continue        *Token
	ResourceVersion Version
	Match           metav1.ResourceVersionMatch

	Watch, Bookmarks bool
	// Initial asks for the objects that are there, before a watch tells what becomes of them.
	Initial bool
	// InitialEnd asks for a bookmark after them.
	InitialEnd bool
	// Ends is after how long a watch is to end; 0: when the server likes.
	Ends time.Duration

	// ForMembers goes to the members as it is.
	ForMembers url.Values
}

// forMembers are the parameters that go to the members as they are, others those that are
// read here; ignored ones are about how an answer is written. No other is known: one that
// is mistyped would else be without effect, and nobody told.
var (
	forMembers = []string{"labelSelector", "fieldSelector", "includeObject"}
	others     = []string{
		ClustersParameter, ClusterSelectorParameter, RequireParameter, timeoutParameter, "limit", "continue", "resourceVersion", "resourceVersionMatch",
		"watch", "allowWatchBookmarks", "sendInitialEvents", "timeoutSeconds",
	}
	ignored = []string{"pretty"}
)

// ParseParameters reads a query. The error is the client's.
func ParseParameters(raw string) (p Parameters, err error) {
	if len(raw) > mostOfQuery {
		return p, fmt.Errorf("the query is too long")
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return p, fmt.Errorf("the query: %w", err)
	}
	p.ForMembers = url.Values{}
	for name, values := range query {
		switch {
		case slices.Contains(forMembers, name):
			p.ForMembers[name] = values
		case !slices.Contains(others, name) && !slices.Contains(ignored, name):
			return p, fmt.Errorf("there is no parameter %q; those of a request to several clusters are %s", name, strings.Join(slices.Concat(others, forMembers), ", "))
		}
	}
	for _, read := range []func(url.Values) error{p.readClusters, p.readTimes, p.readPages, p.readWatch} {
		if err := read(query); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *Parameters) readClusters(query url.Values) error {
	for _, value := range query[ClustersParameter] {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); !isName(name) {
				return fmt.Errorf("%s=%q: %q is not the name of a cluster", ClustersParameter, value, name)
			}
			p.Clusters = append(p.Clusters, name)
		}
	}
	slices.Sort(p.Clusters)
	if p.Clusters = slices.Compact(p.Clusters); len(p.Clusters) > mostClusters {
		return fmt.Errorf("%s names %d clusters, of at most %d", ClustersParameter, len(p.Clusters), mostClusters)
	}
	selector := query.Get(ClusterSelectorParameter)
	if selector != "" && p.Clusters != nil {
		return fmt.Errorf("%s and %s exclude each other", ClustersParameter, ClusterSelectorParameter)
	}
	var err error
	if p.Selector, err = labels.Parse(selector); err != nil {
		return fmt.Errorf("%s=%q: %w", ClusterSelectorParameter, selector, err)
	}
	switch require := query.Get(RequireParameter); require {
	case "":
	case "all":
		p.RequireAll = true
	default:
		return fmt.Errorf("%s=%q: there is require=all only", RequireParameter, require)
	}
	return nil
}

// readTimes leaves a part of the time that a client waits to what comes after the members
// have answered: kubectl sends with --request-timeout when it will hang up.
func (p *Parameters) readTimes(query url.Values) error {
	p.Timeout = defaultTimeout
	if text := query.Get(timeoutParameter); text != "" {
		asked, err := time.ParseDuration(text)
		if err != nil || asked < 0 {
			return fmt.Errorf("%s=%q is not a duration such as 5s", timeoutParameter, text)
		}
		if asked > 0 {
			p.Timeout = min(asked-asked/5, mostTimeout)
		}
	}
	if text := query.Get("timeoutSeconds"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 32)
		if err != nil || seconds < 0 {
			return fmt.Errorf("timeoutSeconds=%q is not a number", text)
		}
		p.Ends = time.Duration(seconds) * time.Second
	}
	return nil
}

func (p *Parameters) readPages(query url.Values) (err error) {
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.ParseInt(text, 10, 32)
		if err != nil || limit < 0 {
			return fmt.Errorf("limit=%q is not a number of objects", text)
		}
		p.Limit = int(limit)
	}
	text := query.Get("resourceVersion")
	if p.ResourceVersion, err = ParseVersion(text); err != nil {
		return err
	}
	p.Match = metav1.ResourceVersionMatch(query.Get("resourceVersionMatch"))
	switch p.Match {
	case "", metav1.ResourceVersionMatchNotOlderThan:
	case metav1.ResourceVersionMatchExact:
		if len(p.ResourceVersion) == 0 {
			return fmt.Errorf("resourceVersionMatch=%s takes a resourceVersion", p.Match)
		}
	default:
		return fmt.Errorf("resourceVersionMatch=%q is not known", p.Match)
	}
	if token := query.Get("continue"); token != "" {
		if text != "" && text != "0" {
			return fmt.Errorf("resourceVersion and continue exclude each other")
		}
		p.Continue, err = ParseToken(token)
	}
	return err
}

func (p *Parameters) readWatch(query url.Values) error {
	p.Watch, p.Bookmarks = isTrue(query["watch"]), isTrue(query["allowWatchBookmarks"])
	initial, said := query["sendInitialEvents"]
	switch {
	case !p.Watch && said:
		return fmt.Errorf("sendInitialEvents is for watches")
	case !p.Watch:
		return nil
	case p.Continue != nil:
		return fmt.Errorf("a watch has no pages: it takes no continue")
	case said && p.Match != metav1.ResourceVersionMatchNotOlderThan:
		return fmt.Errorf("sendInitialEvents takes resourceVersionMatch=%s", metav1.ResourceVersionMatchNotOlderThan)
	case !said && p.Match != "":
		return fmt.Errorf("a watch takes resourceVersionMatch with sendInitialEvents only")
	}
	p.Initial = isTrue(initial) || (!said && len(p.ResourceVersion) == 0)
	p.InitialEnd = isTrue(initial)
	if p.InitialEnd && !p.Bookmarks {
		return fmt.Errorf("sendInitialEvents takes allowWatchBookmarks: a bookmark says where they end")
	}
	return nil
}

// isTrue reads a parameter as API servers do: whatever is neither false nor 0.
func isTrue(values []string) bool {
	return len(values) > 0 && values[0] != "0" && !strings.EqualFold(values[0], "false")
}
