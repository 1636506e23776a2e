package fleetapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
)

// secure opens a connection by TLS that speaks HTTP/1.1, until the spec ends.
func secure(ctx context.Context, config *rest.Config, address string) net.Conn {
	GinkgoHelper()
	tlsConfig, err := rest.TLSConfigFor(config)
	Expect(err).NotTo(HaveOccurred())
	tlsConfig.NextProtos = []string{"http/1.1"}
	connection, err := (&tls.Dialer{Config: tlsConfig}).DialContext(ctx, "tcp", address)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { _ = connection.Close() })
	return connection
}

// expectServed waits until a user is answered for a member.
func expectServed(ctx context.Context, config *rest.Config, member string) {
	GinkgoHelper()
	c, err := rest.HTTPClientFor(config)
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, func() (int, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, through(config, member).Host+"/version", nil)
		if err != nil {
			return 0, err
		}
		response, err := c.Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close() //nolint:errcheck // only read
		return response.StatusCode, errOf(io.Copy(io.Discard, response.Body))
	}).Should(Equal(http.StatusOK))
}

// trickling reads what it is sent, to its end, and counts who is at it.
func trickling(open *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			fine(w, r)
			return
		}
		open.Add(1)
		defer open.Add(-1)
		_, _ = io.Copy(io.Discard, r.Body)
		fine(w, r)
	}
}

// post sends a body to a member as client-go does, by HTTP/2, and returns how it is answered.
func post(ctx context.Context, config *rest.Config, member string, body io.Reader) (code int, err error) {
	c, err := rest.HTTPClientFor(config)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, through(config, member).Host+"/api/v1/namespaces/default/configmaps", body)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// unfinished is a body of which only the beginning comes.
func unfinished() io.Reader {
	body, beginning := io.Pipe()
	go func() { _, _ = io.WriteString(beginning, "{") }()
	return body
}

// gushing sends without end what nobody reads, and counts who is at it.
func gushing(open *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			fine(w, r)
			return
		}
		open.Add(1)
		defer open.Add(-1)
		w.Header().Set("Content-Type", "application/json")
		some := make([]byte, 1<<16)
		for errOf(w.Write(some)) == nil {
		}
	}
}

var _ = Describe("Clients that are slow", func() {
	It("to send headers are hung up on, and hurt nobody", func(ctx SpecContext) {
		insecure := &rest.Config{TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
		const many = 150
		var ended atomic.Int64
		trickle, stop := context.WithCancel(ctx)
		defer stop()
		for n := range many {
			connection := secure(ctx, insecure, server.Address) // who is not known yet
			_, err := fmt.Fprintf(connection, "GET /apis HTTP/1.1\r\nHost: fleet\r\nX-%d: ", n)
			Expect(err).NotTo(HaveOccurred())
			go func() { // a letter now and then, so that the connection is not idle
				defer GinkgoRecover()
				for tick := time.NewTicker(time.Second); ; {
					select {
					case <-trickle.Done():
						return
					case <-tick.C:
					}
					if _, err := connection.Write([]byte("x")); err != nil {
						return
					}
				}
			}()
			go func() { // whatever it says, at the end it hangs up
				_, _ = io.Copy(io.Discard, connection)
				ended.Add(1)
			}()
		}
		expectServed(ctx, host.Config, "member-1")
		Eventually(ctx, ended.Load).Should(BeEquivalentTo(many))
	}, NodeTimeout(4*time.Minute))

	It("to send bodies are so many of one user, and the member is rid of them when they go", func(ctx SpecContext) {
		var open atomic.Int64
		enlist(ctx, "patient", trickling(&open))
		letThrough(ctx, group("slow"), everyVerb, "patient")
		slow, other := as("slow", "slow"), as("quick", "slow")
		expectServed(ctx, slow, "patient")
		sending, hangUp := context.WithCancel(ctx)
		defer hangUp()
		for range mostOpen {
			go func() {
				defer GinkgoRecover()
				Expect(errOf(post(sending, slow, "patient", unfinished()))).To(MatchError(context.Canceled))
			}()
		}
		Eventually(ctx, open.Load).Should(BeEquivalentTo(mostOpen))
		// A body that comes, as those of clients of Kubernetes do. The refusal of one that does
		// not would stay in the host's API server until it did: Go's ReverseProxy waits for it
		// before it lets an answer go.
		Expect(post(ctx, slow, "patient", strings.NewReader("{}"))).To(Equal(http.StatusTooManyRequests))
		expectServed(ctx, other, "patient")
		expectServed(ctx, host.Config, "member-1")
		hangUp()
		Eventually(ctx, open.Load).Should(BeZero())
		expectServed(ctx, slow, "patient")
	}, NodeTimeout(3*time.Minute))

	It("to read hold little of the server, and nobody up", Serial, func(ctx SpecContext) {
		var open atomic.Int64
		enlist(ctx, "gushing", gushing(&open))
		letThrough(ctx, group("stuck"), everyVerb, "gushing")
		stuck, other := as("stuck", "stuck"), as("quick", "stuck")
		expectServed(ctx, stuck, "gushing")
		const metric = "process_resident_memory_bytes"
		before, err := server.Metric(ctx, metric)
		Expect(err).NotTo(HaveOccurred())
		var connections []net.Conn
		for range mostOpen {
			connection := secure(ctx, host.Config, hostAddress())
			_, err := fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: fleet\r\nImpersonate-User: stuck\r\nImpersonate-Group: stuck\r\n\r\n", proxyPath("gushing", "/api/v1/pods"))
			Expect(err).NotTo(HaveOccurred())
			connections = append(connections, connection)
		}
		Eventually(ctx, open.Load).Should(BeEquivalentTo(mostOpen))
		expectServed(ctx, other, "gushing")
		expectServed(ctx, host.Config, "member-1")
		with, err := server.Metric(ctx, metric)
		Expect(err).NotTo(HaveOccurred())
		// Each holds what HTTP/2 lets a member send ahead, and a buffer.
		Expect(with - before).To(BeNumerically("<", mostOpen*(6<<20)))
		for _, connection := range connections {
			Expect(connection.Close()).To(Succeed())
		}
		Eventually(ctx, open.Load).Should(BeZero())
		expectServed(ctx, stuck, "gushing")
	}, NodeTimeout(3*time.Minute))
})
