package errtext

import "strings"

// Address is an address that somebody has given, which may not even be a URL, without
// what may be a secret in it: a user with a password, and a query.
func Address(text string) string {
	if at := strings.LastIndex(text, "@"); at >= 0 {
		scheme, _, found := strings.Cut(text[:at], "://")
		if found {
			scheme += "://"
		} else {
			scheme = ""
		}
		text = scheme + text[at+1:]
	}
	text, _, _ = strings.Cut(text, "?")
	text, _, _ = strings.Cut(text, "#")
	return Bounded(text, 256)
}
