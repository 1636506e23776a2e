package fleetapi

import (
	"fmt"
	"strings"
	"unicode"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/transport"
)

// reserved begins the names that mean something to an API server by themselves.
const reserved = "system:"

// reservedDomains end the domains of what API servers say of a user beside his name.
var reservedDomains = []string{"kubernetes.io", "k8s.io"}

// impersonated is who a user of the host is in a member: the same, but that what begins
// with "system:" has the prefix in front. system:masters of the host is nobody special in
// a member, and a ServiceAccount of the host not the member's of the same name, unless the
// member's administrator says so by binding rights to the name with the prefix.
//
// A name that is written with the prefix already could be taken for one that got it, and
// is refused. So is one that does not survive as a header: a member that trims " system:x"
// would read something else than was looked at here.
func impersonated(u user.Info, prefix string) (transport.ImpersonationConfig, error) {
	var none transport.ImpersonationConfig
	if u == nil || u.GetName() == "" || u.GetName() == user.Anonymous {
		return none, fmt.Errorf("nobody is let through without a login")
	}
	translate := func(kind, name string) (string, error) {
		switch {
		case !plain(name):
			return "", fmt.Errorf("the %s %q cannot be told to a member: it is empty, or has spaces around it or control characters in it", kind, name)
		case strings.HasPrefix(name, prefix):
			return "", fmt.Errorf("the %s %q begins with %q, which stands before what the host itself has named: it is not let through", kind, name, prefix)
		case strings.HasPrefix(name, reserved):
			return prefix + name, nil
		}
		return name, nil
	}
	to := transport.ImpersonationConfig{UID: u.GetUID()}
	if to.UID != "" && !plain(to.UID) {
		return none, fmt.Errorf("the UID %q cannot be told to a member", to.UID)
	}
	var err error
	if to.UserName, err = translate("user", u.GetName()); err != nil {
		return none, err
	}
	for _, group := range u.GetGroups() {
		group, err = translate("group", group)
		if err != nil {
			return none, err
		}
		to.Groups = append(to.Groups, group)
	}
	to.Extra, err = impersonatedExtra(u.GetExtra(), prefix)
	return to, err
}

// impersonatedExtra is what else is said of the user. What the host's API server says by
// itself (which Pod a token is of, and on which node) is true of the host only.
func impersonatedExtra(extra map[string][]string, prefix string) (map[string][]string, error) {
	if len(extra) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	to := make(map[string][]string, len(extra))
	for key, values := range extra {
		name := key
		switch {
		case !plain(key) || strings.ToLower(key) != key:
			return nil, fmt.Errorf("the extra field %q of the user cannot be told to a member", key)
		case strings.HasPrefix(key, prefix):
			return nil, fmt.Errorf("the extra field %q of the user begins with %q: it is not let through", key, prefix)
		case ofAPIServer(key):
			name = prefix + key
		}
		for _, value := range values {
			if !plain(value) {
				return nil, fmt.Errorf("a value of the extra field %q of the user cannot be told to a member", key)
			}
		}
		to[name] = values
	}
	return to, nil
}

func ofAPIServer(key string) bool {
	domain, _, _ := strings.Cut(key, "/")
	for _, end := range reservedDomains {
		if domain == end || strings.HasSuffix(domain, "."+end) {
			return true
		}
	}
	return strings.HasPrefix(key, reserved)
}

// plain says that a text is the same after it was sent as the value of a header.
func plain(text string) bool {
	return text != "" && strings.TrimSpace(text) == text && !strings.ContainsFunc(text, unicode.IsControl)
}
