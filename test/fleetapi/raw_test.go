package fleetapi

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// rawOn writes a request onto a connection and reads the answer, without any client in
// between that would clean the path or the headers.
func rawOn(connection net.Conn, method, path string, header http.Header) (answer, error) {
	var request strings.Builder
	fmt.Fprintf(&request, "%s %s HTTP/1.1\r\nHost: fleet\r\n", method, path)
	for name, values := range header {
		for _, value := range values {
			fmt.Fprintf(&request, "%s: %s\r\n", name, value)
		}
	}
	if header.Get("Connection") == "" {
		request.WriteString("Connection: close\r\n")
	}
	request.WriteString("\r\n")
	if _, err := connection.Write([]byte(request.String())); err != nil {
		return answer{}, err
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode == http.StatusSwitchingProtocols {
		return answer{Code: response.StatusCode, Header: response.Header}, nil
	}
	return answer{Code: response.StatusCode, Header: response.Header, Body: readAll(response.Body)}, nil
}

// hostAddress is where the host's API server is.
func hostAddress() string {
	GinkgoHelper()
	u, err := url.Parse(host.Config.Host)
	Expect(err).NotTo(HaveOccurred())
	return u.Host
}

// throughHost sends a raw request to the host's API server, as its administrator.
func throughHost(ctx context.Context, method, path string, header http.Header) answer {
	GinkgoHelper()
	got, err := raw(ctx, host.Config, hostAddress(), method, path, header)
	Expect(err).NotTo(HaveOccurred())
	return got
}
