package union

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

const (
	mostOfToken    = 1 << 20
	mostOfContinue = 8 << 10
	tokenFormat    = 1
)

var errToken = errors.New("the continue token is not one of a list over several clusters")

// Token says where the next page of a list begins. Clusters come one after the other, in
// the order of their names. It gives no right to anything: who sends it is asked for his
// rights to each cluster like anybody.
type Token struct {
	// Versions are those of the first page, for each cluster that was in it: later pages
	// are of the same.
	Versions Version
	// At is the cluster of which the next page has objects. Those before it are through.
	At string
	// Continue is that cluster's own token; empty: from its first object on.
	Continue string
	// Rest are clusters that are still to come and have said no version.
	Rest []string
	// Missing are the clusters that were not in the list before, with the reason.
	Missing map[string]string
	// Kind is that of the list, if it is one of the objects themselves and known.
	Kind string
}

type encodedToken struct {
	Format   int               `json:"f"`
	Versions string            `json:"v,omitempty"`
	At       string            `json:"a"`
	Continue string            `json:"c,omitempty"`
	Rest     []string          `json:"r,omitempty"`
	Missing  map[string]string `json:"m,omitempty"`
	Kind     string            `json:"k,omitempty"`
}

// String is what a client is given.
func (t Token) String() string {
	text, err := json.Marshal(encodedToken{tokenFormat, t.Versions.String(), t.At, t.Continue, t.Rest, t.Missing, t.Kind})
	if err != nil {
		return "" // strings only: there is none
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// ParseToken reads what a client has sent.
func ParseToken(text string) (*Token, error) {
	if len(text) > mostOfToken {
		return nil, errors.New("the continue token is too long")
	}
	decoded, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return nil, errToken
	}
	var e encodedToken
	if json.Unmarshal(decoded, &e) != nil || e.Format != tokenFormat || !isName(e.At) || len(e.Continue) > mostOfContinue || len(e.Missing) > mostClusters || len(e.Rest) > mostClusters || !all(e.Rest, isName) || e.Kind != "" && !isOf(e.Kind, mostOfName, "") {
		return nil, errToken
	}
	for cluster, reason := range e.Missing {
		if !isName(cluster) || !isOf(reason, mostOfVersion, "") {
			return nil, errToken
		}
	}
	versions, err := ParseVersion(e.Versions)
	if err != nil {
		return nil, errToken
	}
	return &Token{Versions: versions, At: e.At, Continue: e.Continue, Rest: e.Rest, Missing: e.Missing, Kind: e.Kind}, nil
}

// Left are those of the clusters that may be read of which the list has not come to the end:
// clusters that have come since the first page are not in it. Gone are those that would be
// left and may not be read any more.
func (t Token) Left(readable []string) (left, gone []string) {
	all := map[string]bool{t.At: true}
	for cluster := range t.Versions {
		all[cluster] = cluster >= t.At
	}
	for _, cluster := range t.Rest {
		all[cluster] = cluster >= t.At
	}
	for cluster, is := range all {
		switch {
		case !is:
		case slices.Contains(readable, cluster):
			left = append(left, cluster)
		default:
			gone = append(gone, cluster)
		}
	}
	slices.Sort(left)
	slices.Sort(gone)
	return left, gone
}

func all(texts []string, is func(string) bool) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !is(text) })
}
