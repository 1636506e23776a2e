package fleetapi

import (
	"errors"
	"net/url"
	"strings"

	fleetv1alpha1 "github.com/fedctl/fedctl/pkg/api/fleet/v1alpha1"
)

var (
	errPath = errors.New("the path is not one below clusters/NAME/proxy")
	errDots = errors.New(`the path has a part "." or "..", which would lead elsewhere`)
	errHost = errors.New(`the path below proxy begins with "//", which could be read as another host`)
)

// memberPath is what a path means in a member: what comes below proxy, decoded once, as
// what was authorized. The member may be known at an address with a path of its own, as
// behind a gateway that serves many clusters by one token: so nothing gets out of it, by
// dots however they are encoded. What is in the path otherwise is for the member's API
// server to judge, which knows who asks.
func memberPath(path, cluster string) (string, error) {
	rest, found := strings.CutPrefix(path, fleetv1alpha1.ProxyPath(cluster))
	switch {
	case !found || (rest != "" && rest[0] != '/'):
		return "", errPath
	case strings.HasPrefix(rest, "//"):
		return "", errHost
	case rest == "":
		return "/", nil
	}
	for decoded := rest; ; {
		if dotted(decoded) {
			return "", errDots
		}
		again, err := url.PathUnescape(decoded)
		if err != nil || again == decoded {
			return rest, nil //nolint:nilerr // what does not decode any further is what it says
		}
		decoded = again
	}
}

func dotted(path string) bool {
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' || r == ';' }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// memberURL is the address of a path in a member.
func memberURL(endpoint *url.URL, path, query string) *url.URL {
	to := *endpoint
	to.Path, to.RawPath = strings.TrimSuffix(endpoint.Path, "/")+path, ""
	to.RawQuery, to.Fragment, to.User = query, "", nil
	return &to
}
