package fleetapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
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
})
