package union

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// Bounds of what a client sends, and of what a member says of itself.
const (
	mostClusters  = 5000
	mostOfName    = 253
	mostOfVersion = 128
	mostOfVector  = 512 << 10
)

// Version is the resource version of several clusters: of each the one that it has given.
// As a text it is member-1=123,member-2=45.
type Version map[string]string

// ParseVersion reads one that a client has sent. Empty and 0 have no cluster: any version
// will do.
func ParseVersion(text string) (Version, error) {
	v := Version{}
	if text == "" || text == "0" {
		return v, nil
	}
	if len(text) > mostOfVector || strings.Count(text, ",") >= mostClusters {
		return nil, errors.New("the resource version is too long")
	}
	for part := range strings.SplitSeq(text, ",") {
		cluster, version, found := strings.Cut(part, "=")
		if !found || !isName(cluster) || !isVersion(version) {
			return nil, fmt.Errorf("the resource version has the part %q, which is not CLUSTER=VERSION: it is not one of a list over several clusters", errtext.Bounded(part, mostOfVersion))
		}
		if _, twice := v[cluster]; twice {
			return nil, fmt.Errorf("the resource version names the cluster %s twice", cluster)
		}
		v[cluster] = version
	}
	return v, nil
}

// String is the text of the version.
func (v Version) String() string { return string(v.append(nil)) }

func (v Version) append(to []byte) []byte {
	for i, cluster := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(append(append(to, cluster...), '='), v[cluster]...)
	}
	return to
}

// Set notes the version of a cluster, unless it has said none or one that is no version.
func (v Version) Set(cluster, version string) {
	if isVersion(version) && isName(cluster) {
		v[cluster] = version
	}
}

func isVersion(text string) bool { return isOf(text, mostOfVersion, "-._~:+/") }

func isName(text string) bool { return isOf(text, mostOfName, "-.") && strings.ToLower(text) == text }

func isOf(text string, most int, others string) bool {
	return text != "" && len(text) <= most && !strings.ContainsFunc(text, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune(others, r)
	})
}
