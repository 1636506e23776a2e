package fleetapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// What passes is listed, not what does not: what else somebody trusts in a header, an API
// server, or a gateway in front of one (X-Remote-User, X-Forwarded-For, X-Auth-Request-User,
// with _ for - …), nobody can know.

// requestHeaders are what API servers, and clients of theirs, know of a request.
var requestHeaders = []string{
	"Accept", "Accept-Encoding", "Audit-Id", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Type",
	"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Kubectl-Command", "Kubectl-Session",
	"Range", "Traceparent", "Tracestate", "Upgrade", "User-Agent",
	"Sec-Websocket-Extensions", "Sec-Websocket-Key", "Sec-Websocket-Protocol", "Sec-Websocket-Version", "X-Stream-Protocol-Version",
}

// responseHeaders are what an API server says beside an answer. What binds a browser to a
// site, or asks for credentials, is the host's to say.
var responseHeaders = []string{
	"Accept-Patch", "Accept-Ranges", "Allow", "Audit-Id", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range",
	"Content-Type", "Date", "Etag", "Last-Modified", "Retry-After", "Upgrade", "Vary", "Warning", "X-Content-Type-Options",
	"X-Kubernetes-Pf-Flowschema-Uid", "X-Kubernetes-Pf-Prioritylevel-Uid",
	"Sec-Websocket-Accept", "Sec-Websocket-Extensions", "Sec-Websocket-Protocol", "X-Stream-Protocol-Version",
}

const (
	protocolHeader = "Sec-Websocket-Protocol"
	// bearerProtocol begins a protocol of a WebSocket that is none: a browser's login.
	bearerProtocol = "base64url.bearer.authorization.k8s.io." //nolint:gosec // a name
)

// forMember is what of the headers of a request gets to a member.
func forMember(from http.Header) http.Header {
	to := only(from, requestHeaders)
	var protocols []string
	for _, value := range to[protocolHeader] {
		for protocol := range strings.SplitSeq(value, ",") {
			if protocol = strings.TrimSpace(protocol); !strings.HasPrefix(strings.ToLower(protocol), bearerProtocol) && protocol != "" {
				protocols = append(protocols, protocol)
			}
		}
	}
	delete(to, protocolHeader)
	if len(protocols) > 0 {
		to.Set(protocolHeader, strings.Join(protocols, ", "))
	}
	if _, said := to["User-Agent"]; !said {
		to["User-Agent"] = []string{""} // or Go's would be sent
	}
	return to
}

// mostRetryAfter is how many seconds a member may have a client of the host wait.
const mostRetryAfter = 60

// forClient is what of the headers of a member's answer gets to the client.
func forClient(from http.Header) http.Header {
	to := only(from, responseHeaders)
	if seconds, err := strconv.Atoi(to.Get("Retry-After")); err != nil || seconds < 0 || seconds > mostRetryAfter {
		to.Del("Retry-After")
	}
	return to
}

func only(from http.Header, names []string) http.Header {
	to := make(http.Header, len(names))
	for _, name := range names {
		if values, found := from[name]; found {
			to[name] = slices.Clone(values)
		}
	}
	return to
}
