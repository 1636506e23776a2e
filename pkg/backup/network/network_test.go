package network_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/backup/network"
)

func get(t *testing.T, rules network.Rules, url string) (*http.Response, error) {
	t.Helper()
	client := rules.Client(nil)
	t.Cleanup(client.CloseIdleConnections)
	request, err := http.NewRequestWithContext(answers.Limit(t.Context(), 1<<20), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err == nil {
		t.Cleanup(func() { _ = response.Body.Close() })
	}
	return response, err
}

func loopback(t *testing.T) network.Rules {
	t.Helper()
	rules, err := network.Parse([]string{"127.0.0.1", "::1/128"})
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestParse(t *testing.T) {
	for _, wrong := range []string{"", "localhost", "10.0.0.0/33", "10.0.0.0/8, 11.0.0.0/8"} {
		if _, err := network.Parse([]string{wrong}); err == nil {
			t.Errorf("%q was taken for an address", wrong)
		}
	}
	if rules, err := network.Parse([]string{"10.1.2.3/8"}); err != nil || rules.Allowed[0] != netip.MustParsePrefix("10.0.0.0/8") {
		t.Errorf("got %v, %v", rules, err)
	}
}

// TestOutOfBounds: nothing is connected to, by number or by name.
func TestOutOfBounds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the server was reached") }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.9.9.9",
		"169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "224.0.0.1"} {
		_, err := get(t, network.Rules{}, "http://"+host+":"+port) //nolint:bodyclose // get does
		var refused *network.AddressError
		if !errors.As(err, &refused) {
			t.Errorf("%s: got %v", host, err)
		}
	}
}

// TestTheAPIServer: that of the executor's own cluster is no storage, by number or by name;
// what else is on its machine may be.
func TestTheAPIServer(t *testing.T) {
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	defer here.Close()
	at := netip.MustParseAddrPort("192.0.2.7:443")
	for server, refused := range map[string]bool{
		"https://192.0.2.7": true, "192.0.2.7:443": true, "https://[::ffff:192.0.2.7]:443": true, "https://192.0.2.7:6443": false, "https://192.0.2.8": false, "": false,
	} {
		rules := network.Rules{}.Excluding(server)
		if got := rules.Refuses(at); got != refused {
			t.Errorf("%q: got %v", server, got)
		}
	}
	if name, err := os.Hostname(); err == nil {
		addresses, _ := net.DefaultResolver.LookupNetIP(t.Context(), "ip", name)
		for _, address := range addresses {
			if !(network.Rules{}.Excluding("https://" + name)).Refuses(netip.AddrPortFrom(address.Unmap(), 443)) {
				t.Errorf("the name %s hides the API server at %s", name, address)
			}
		}
	}
	response, err := get(t, loopback(t).Excluding(here.URL), here.URL) //nolint:bodyclose // get does
	if err != nil {
		t.Fatalf("what is allowed is refused: %v", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
}

func TestAllowed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	defer server.Close()
	response, err := get(t, loopback(t), server.URL) //nolint:bodyclose // get does
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(response.Body); string(data) != "here" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer inside.Close()
	outside := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusTemporaryRedirect))
	defer outside.Close()
	response, err := get(t, loopback(t), outside.URL) //nolint:bodyclose // get does
	if err != nil || response.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("got %v, %v", response, err)
	}
}

// TestAnswersAreLimited: an error says that there was more; what came is not taken for
// all of it.
func TestAnswersAreLimited(t *testing.T) {
	for status, most := range map[int]int{http.StatusOK: 1 << 20, http.StatusForbidden: 64 << 10} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			page := make([]byte, 64<<10)
			for range 1 << 30 / len(page) {
				if _, err := w.Write(page); err != nil {
					return
				}
			}
		}))
		response, err := get(t, loopback(t), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, response.Body)
		if !errors.Is(err, answers.ErrTooMuch) || n > int64(most)+1 {
			t.Errorf("%d: read %d bytes, %v", status, n, err)
		}
		_ = response.Body.Close()
		server.Close()
	}
}

// TestNothingIsQuoted: what somebody answers who does not speak HTTP stays there.
func TestNothingIsQuoted(t *testing.T) {
	for _, banner := range []string{"SSH-2.0-hidden\r\n", "HTTP/1.1 hidden\r\n\r\n", "HTTP/1.1 200 OK\r\nhidden\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: hidden\r\n\r\n"} {
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(connection, banner)
				_ = connection.Close()
			}
		}()
		for _, scheme := range []string{"http://", "https://"} {
			if _, err := get(t, loopback(t), scheme+listener.Addr().String()); err == nil || strings.Contains(err.Error(), "hidden") { //nolint:bodyclose // get does
				t.Errorf("%s%q: got %v", scheme, banner, err)
			}
		}
		_ = listener.Close()
	}
}
