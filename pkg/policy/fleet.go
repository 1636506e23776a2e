package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
)

// Fleet is the member clusters as rules see them, made ready once for each state of them:
// what a rule sees is the same for all objects whose pods ask for the same. It is safe for
// concurrent use.
type Fleet struct {
	clusters Clusters
	names    []string // sorted

	mu   sync.Mutex
	seen map[viewer]*sight
	// unmatched is what policies name that no cluster has; see Unmatched.
	unmatched map[*Policy][]string
}

// viewer is who looks at the clusters: a rule, on behalf of pods that ask for the same.
type viewer struct {
	rule *rule
	// asked is the key of what the pods ask for, or anything.
	asked string
}

// anything is asked for where another rule may make pods ask for what their template does not.
const anything = "*"

// sight is what a viewer sees of the clusters.
type sight struct {
	// revision stands for all of it.
	revision string
	// like has a number for each cluster, the same for those in which all that is seen is
	// the same; nil where nothing is looked at.
	like map[string]int
	// made are the derivations of clusters that are alike, by their likeness, for each
	// request that the pods make.
	made map[int]map[string]*derivation
}

const (
	// alone is the likeness of a cluster that is like no other.
	alone = -1
	// everywhere is the likeness of all clusters to a rule that looks at none.
	everywhere = 1
)

// unseen is the sight of a rule that looks at no cluster.
var unseen = &sight{}

// NewFleet makes clusters ready. The map and its values are not modified later.
func NewFleet(clusters Clusters) *Fleet {
	return &Fleet{clusters: clusters, names: slices.Sorted(maps.Keys(clusters)), seen: map[viewer]*sight{}}
}

// Cluster is what is known of a cluster.
func (f *Fleet) Cluster(name string) (Cluster, bool) {
	c, found := f.clusters[name]
	return c, found
}

// likeness is that of a cluster that has joined or not.
func (s *sight) likeness(cluster string) int {
	if s.like == nil {
		return everywhere
	}
	if like, found := s.like[cluster]; found {
		return like
	}
	return alone
}

// derived is what was derived for a request in a cluster; nil where nobody has asked for that.
func (s *sight) derived(cluster string, requested map[string]int64) *derivation {
	made := s.made[s.likeness(cluster)]
	if made == nil {
		return nil
	}
	return made[requestKey(requested)]
}

// seenBy is what a rule sees on behalf of pods that ask for this. asked is nil where that is
// not known.
func (f *Fleet) seenBy(r *rule, asked requests) *sight {
	by := viewer{rule: r}
	switch {
	case r.derive == nil && r.clusters == nil:
		return unseen
	case r.derive == nil:
	case asked == nil:
		by.asked = anything
	case len(asked) == 0 && r.clusters == nil:
		return unseen
	default:
		by.asked = asked.key()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[by] == nil {
		f.seen[by] = f.look(r, asked)
	}
	return f.seen[by]
}

// look looks at all clusters: whether the rule selects them, and what is derived there.
func (f *Fleet) look(r *rule, asked requests) *sight {
	s := &sight{like: make(map[string]int, len(f.names)), made: map[int]map[string]*derivation{}}
	numbers := map[string]int{}
	derivations := map[string]map[string]*derivation{} // by pools
	hash := sha256.New()
	for _, name := range f.names {
		c := f.clusters[name]
		selected, known := r.clusters.selects(name, c)
		seen := strconv.FormatBool(selected) + strconv.FormatBool(known)
		blind := !known
		var made map[string]*derivation
		if selected && known && r.derive != nil && (asked == nil || len(asked) > 0) {
			pools, read := poolsText(c.Pools), c.Known && !c.DevicesUnread
			if asked != nil {
				read = c.knows(asked...)
			}
			seen, blind = seen+strconv.FormatBool(read)+pools, !read
			if made = derivations[pools]; made == nil && asked != nil {
				made = r.deriveAll(asked, c.Pools)
				derivations[pools] = made
			}
			if asked != nil {
				seen = strconv.FormatBool(read) + textOf(made)
			}
		}
		hash.Write([]byte(name + "=" + seen + "\n"))
		switch {
		case blind:
			s.like[name] = alone
		case !selected:
			s.like[name] = 0
		default:
			if numbers[seen] == 0 {
				numbers[seen] = everywhere + len(numbers)
			}
			s.like[name] = numbers[seen]
			s.made[numbers[seen]] = made
		}
	}
	s.revision = "@" + hex.EncodeToString(hash.Sum(nil)[:8])
	return s
}

// deriveAll derives for each request.
func (r *rule) deriveAll(asked requests, pools []clusterv1alpha1.Pool) map[string]*derivation {
	made := make(map[string]*derivation, len(asked))
	for _, requested := range asked {
		made[requestKey(requested)] = r.deriveFrom(requested, pools)
	}
	return made
}

// textOf is the same for derivations of which objects become the same.
func textOf(made map[string]*derivation) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(made)) {
		d := made[key]
		fmt.Fprintf(&b, "%s%q%q%q;", key, tolerationTexts(d.tolerations), d.nodes, d.notes)
	}
	return b.String()
}

func tolerationTexts(list []corev1.Toleration) []string {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = t.Key + "|" + string(t.Operator) + "|" + t.Value + "|" + string(t.Effect)
	}
	return texts
}

func poolsText(pools []clusterv1alpha1.Pool) string {
	var b strings.Builder
	for i := range pools {
		writePool(&b, &pools[i])
	}
	return b.String()
}
