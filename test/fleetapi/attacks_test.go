package fleetapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
)

var _ = Describe("What several members answer", func() {
	It("quotes no token", func(ctx SpecContext) {
		quoting := enlist(ctx, "quoting", fine)
		for _, code := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusInternalServerError} {
			quoting.become(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(code)
				_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"message":"you sent %s"}`, code, r.Header.Get("Authorization"))
			})
			for _, clusters := range []string{"quoting", "member-1,quoting"} {
				for _, path := range []string{"/api/v1/namespaces", "/api/v1/namespaces/default", "/api", "/version"} {
					got := throughHost(ctx, http.MethodGet, proxyPath("-", path+"?clusters="+clusters), nil)
					Expect(got.Body+everything(got.Header)).NotTo(ContainSubstring(secretToken), "%d for %s of %s", code, path, clusters)
				}
			}
		}
		Expect(quoting.last().Header.Get("Authorization")).To(ContainSubstring(secretToken), "what could be quoted")
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("What reaches a member", func() {
	It("has nothing of the host's credentials, nor of what the client pretends", func(ctx SpecContext) {
		member := enlist(ctx, "listener", fine)
		header := http.Header{
			"Authorization": {"Bearer host-secret"}, "Cookie": {"session=host-secret"}, "Proxy-Authorization": {"Basic host-secret"},
			"X-Remote-User": {"eve-secret"}, "X-Remote-Group": {"system:masters"}, "X-Remote-Extra-Scopes": {"eve-secret"}, "X_Remote_User": {"eve-secret"},
			"X-Forwarded-For": {"eve-secret"}, "X-Forwarded-User": {"eve-secret"}, "X-Auth-Request-User": {"eve-secret"}, "Forwarded": {"for=eve-secret"},
			"X-Original-Url": {"/eve-secret"}, "X-Client-Cert": {"eve-secret"}, "Sec-WebSocket-Protocol": {"base64url.bearer.authorization.k8s.io.aG9zdC1zZWNyZXQ, v4.channel.k8s.io"},
			"User-Agent": {"attacker/1"}, "Accept": {"application/json"},
		}
		got := throughHost(ctx, http.MethodGet, proxyPath("listener", "/api/v1/pods?limit=5"), header)
		Expect(got.Code).To(Equal(http.StatusOK), got.Body)
		sent := member.last()
		Expect(sent.URL.RequestURI()).To(Equal("/api/v1/pods?limit=5"))
		Expect(everything(sent.Header)).NotTo(Or(ContainSubstring("host-secret"), ContainSubstring("eve-secret"), ContainSubstring("aG9zdC1zZWNyZXQ")))
		Expect(sent.Header["Impersonate-User"]).To(Equal([]string{"kubernetes-admin"}))
		Expect(sent.Header["Impersonate-Group"]).To(ConsistOf("host:system:masters", "host:system:authenticated"))
		Expect(sent.Header["Authorization"]).To(Equal([]string{"Bearer " + secretToken}))
		Expect(sent.Header.Get("User-Agent")).To(Equal("attacker/1"))
		Expect(sent.Header.Get("Audit-Id")).NotTo(BeEmpty(), "the audit logs of both tell of one request")
	}, NodeTimeout(3*time.Minute))

	It("is said who it is for, whatever the client calls a header of the connection", func(ctx SpecContext) {
		member := enlist(ctx, "hop-by-hop", fine)
		config := account(ctx, "default", "hopper")
		letThrough(ctx, serviceAccount("default", "hopper"), everyVerb)
		Expect(eventuallyWho(ctx, config, "member-1").Username).To(HaveSuffix("hopper"))
		insecure := &rest.Config{TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
		got, err := raw(ctx, insecure, server.Address, http.MethodGet, proxyPath("hop-by-hop", "/version2"), http.Header{
			"Authorization": {"Bearer " + config.BearerToken}, "Connection": {"close, Impersonate-User, Impersonate-Group, Authorization"},
		})
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Code).To(Equal(http.StatusOK), got.Body)
		Expect(member.last().Header["Impersonate-User"]).To(Equal([]string{"host:system:serviceaccount:default:hopper"}))
		Expect(member.last().Header["Authorization"]).To(Equal([]string{"Bearer " + secretToken}))
	}, NodeTimeout(3*time.Minute))

	It("is what was asked for below proxy: no path leads elsewhere", func(ctx SpecContext) {
		member := enlist(ctx, "confined", fine)
		for _, path := range []string{
			"/../../secrets", "/api/../../x", "/%2e%2e/x", "/api/%2E./x", "/%252e%252e/x", "/..%2fx", "/..%5cx", "/a/..;/x", "/./x", "//other.example/x", "/api/%2e%2e%2f%2e%2e",
		} {
			got := throughHost(ctx, http.MethodGet, proxyPath("confined", path), nil)
			Expect(got.Code).To(BeNumerically(">=", 300), "%s: %s", path, got.Body)
			Expect(got.Code).To(BeNumerically("<", 500), "%s: %s", path, got.Body)
		}
		Expect(member.requests()).To(BeEmpty())
		for _, path := range []string{
			"/apis/fleet.fedctl.io/v1alpha1/clusters/other%2F..%2Fconfined/proxy/x", "/apis/fleet.fedctl.io/v1alpha1/clusters/other%2Fconfined/proxy/x",
			"/apis/fleet.fedctl.io/v1alpha1/clusters/%2e%2e/proxy/x", "https://other.example/apis/fleet.fedctl.io/v1alpha1/clusters/none/proxy/x",
		} {
			got := throughHost(ctx, http.MethodGet, path, nil)
			Expect(got.Code).To(BeNumerically(">=", 300), "%s: %s", path, got.Body)
		}
		Expect(member.requests()).To(BeEmpty())

		By("a slash in the name of a cluster, which is one in the path: it is what was authorized")
		got := throughHost(ctx, http.MethodGet, "/apis/fleet.fedctl.io/v1alpha1/clusters/confined%2Fproxy/proxy/x", nil)
		Expect(got.Code).To(Equal(http.StatusOK), got.Body)
		Expect(member.last().URL.Path).To(Equal("/proxy/x"))
	}, NodeTimeout(3*time.Minute))

	It("is no other protocol than those of exec and port-forward", func(ctx SpecContext) {
		member := enlist(ctx, "upgraded", func(w http.ResponseWriter, r *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer connection.Close() //nolint:errcheck // the spec looks at the answer only
			_, _ = fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\nSet-Cookie: a=b\r\nWww-Authenticate: Basic\r\nX-Echo: %s\r\n\r\n", "other", secretToken)
		})
		for _, protocol := range []string{"h2c", "TLS/1.0", "spdy/2", "websocket, h2c"} {
			got := throughHost(ctx, http.MethodGet, proxyPath("upgraded", "/x"), http.Header{"Connection": {"Upgrade"}, "Upgrade": {protocol}})
			Expect(got.Code).To(Equal(http.StatusBadRequest), "%s: %s", protocol, got.Body)
		}
		Expect(member.requests()).To(BeEmpty())

		By("a member that switches to something that nobody has asked for")
		got := throughHost(ctx, http.MethodGet, proxyPath("upgraded", "/x"), http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}})
		Expect(got.Code).To(BeNumerically(">=", 500), got.Body)
		Expect(everything(got.Header) + got.Body).NotTo(ContainSubstring(secretToken))
	}, NodeTimeout(3*time.Minute))

	It("is bounded in its headers, and served on", func(ctx SpecContext) {
		member := enlist(ctx, "many-headers", fine)
		header := http.Header{}
		for n := range 10000 {
			header.Set(fmt.Sprintf("X-Attack-%d", n), strings.Repeat("x", 64))
		}
		got, err := raw(ctx, host.Config, hostAddress(), http.MethodGet, proxyPath("many-headers", "/x"), header)
		if err == nil { // or the host's API server has closed the connection
			Expect(got.Code).To(Or(Equal(http.StatusOK), BeNumerically(">=", 400)))
		}
		for _, sent := range member.requests() {
			Expect(everything(sent.Header)).NotTo(ContainSubstring("X-Attack"))
		}
		Expect(throughHost(ctx, http.MethodGet, proxyPath("many-headers", "/y"), nil).Code).To(Equal(http.StatusOK))
	}, NodeTimeout(3*time.Minute))
})

var _ = Describe("What a member answers", func() {
	It("leads the client nowhere, and gives no credentials away", func(ctx SpecContext) {
		enlist(ctx, "redirecting", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "https://attacker.example/?"+r.Header.Get("Authorization"))
			w.Header().Set("Set-Cookie", "a="+secretToken)
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		got := throughHost(ctx, http.MethodGet, proxyPath("redirecting", "/x"), nil)
		Expect(got.Code).To(Equal(http.StatusBadGateway))
		Expect(got.status().Message).To(ContainSubstring("a redirect to https://attacker.example"))
		Expect(everything(got.Header) + got.Body).NotTo(ContainSubstring(secretToken))
		Expect(got.Header).NotTo(HaveKey("Location"))
	}, NodeTimeout(3*time.Minute))

	It("quotes no token, sets no cookie and asks for no login", func(ctx SpecContext) {
		echo := func(code int) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Set-Cookie", "a=b")
				w.Header().Set("Www-Authenticate", `Basic realm="host"`)
				w.Header().Set("X-Echo", r.Header.Get("Authorization"))
				w.Header().Set("Strict-Transport-Security", "max-age=1")
				w.Header().Set("Retry-After", "86400")
				w.Header().Set("Warning", `299 - "passes"`)
				w.WriteHeader(code)
				_, _ = fmt.Fprintf(w, "you sent %s", r.Header.Get("Authorization"))
			}
		}
		member := enlist(ctx, "quoting", echo(http.StatusInternalServerError))
		for _, code := range []int{http.StatusInternalServerError, http.StatusForbidden, http.StatusNotFound} {
			member.become(echo(code))
			got := throughHost(ctx, http.MethodGet, proxyPath("quoting", "/x"), nil)
			Expect(got.Code).To(Equal(code))
			Expect(got.Body).To(Equal("you sent Bearer (the token)"))
			Expect(everything(got.Header)).NotTo(ContainSubstring(secretToken))
			for _, name := range []string{"Set-Cookie", "Www-Authenticate", "X-Echo", "Strict-Transport-Security", "Retry-After"} {
				Expect(got.Header).NotTo(HaveKey(name))
			}
			Expect(got.Header.Get("Warning")).To(ContainSubstring("passes"))
		}
		By("a 401, which is not about the client's credentials")
		member.become(echo(http.StatusUnauthorized))
		got := throughHost(ctx, http.MethodGet, proxyPath("quoting", "/x"), nil)
		Expect(got.Code).To(Equal(http.StatusServiceUnavailable))
		Expect(got.Body).To(ContainSubstring("fedctl join quoting --fleet-access"))
	}, NodeTimeout(3*time.Minute))
})
