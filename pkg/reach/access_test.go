package reach

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

func TestAccessOfErrors(t *testing.T) {
	secret := &corev1.Secret{Data: map[string][]byte{TokenKey: []byte("t\n")}}
	secret.Namespace, secret.Name = "fed", "s"
	for _, tc := range []struct {
		name   string
		spec   fedcorev1beta1.KubeFedClusterSpec
		secret *corev1.Secret
		want   string
	}{
		{"no endpoint", fedcorev1beta1.KubeFedClusterSpec{}, secret, "spec.apiEndpoint is empty"},
		{"an endpoint of another scheme", fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "ftp://x"}, secret, `spec.apiEndpoint "ftp://x" is not a URL`},
		{"an endpoint without a host", fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "https://"}, secret, "is not a URL"},
		{"an endpoint in clear", fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "http://x"}, secret, AllowHTTPAnnotation},
		{"a bad bundle", fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "x", CABundle: []byte("!")}, secret, "spec.caBundle holds no certificate"},
		{"a bad proxy", fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "x", ProxyURL: "::"}, secret, "spec.proxyURL"},
		{"no reference", fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "x"}, secret, "spec.secretRef.name is empty"},
		{"no Secret", fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "x", SecretRef: fedcorev1beta1.LocalSecretReference{Name: "s"}}, nil, "Secret fed/s does not exist"},
		{
			"an empty token", fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "x", SecretRef: fedcorev1beta1.LocalSecretReference{Name: "s"}},
			&corev1.Secret{Data: map[string][]byte{TokenKey: []byte(" ")}}, `has no value for the key "token"`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kfc := &fedcorev1beta1.KubeFedCluster{Spec: tc.spec}
			kfc.Namespace = "fed"
			if _, err := AccessOf(kfc, tc.secret); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestAccessOf(t *testing.T) {
	kfc := &fedcorev1beta1.KubeFedCluster{}
	kfc.Spec = fedcorev1beta1.KubeFedClusterSpec{APIEndpoint: "member:6443/", SecretRef: fedcorev1beta1.LocalSecretReference{Name: "s"}}
	secret := &corev1.Secret{Data: map[string][]byte{TokenKey: []byte("t\n")}}
	a, err := AccessOf(kfc, secret)
	if err != nil {
		t.Fatal(err)
	}
	if a.Endpoint != "https://member:6443" || a.Token != "t" {
		t.Errorf("endpoint %q, token %q", a.Endpoint, a.Token)
	}
	other := a
	other.Token = "u"
	if same := a; a.Fingerprint() == other.Fingerprint() || a.Fingerprint() != same.Fingerprint() {
		t.Error("the fingerprint does not tell accesses apart")
	}
}

func TestTLSValidations(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	server.StartTLS()
	defer server.Close()
	otherName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // not in the certificate
	ca := pemOf(server)
	for _, tc := range []struct {
		name     string
		endpoint string
		ca       []byte
		disabled []fedcorev1beta1.TLSValidation
		want     string
	}{
		{"trusted", server.URL, ca, nil, ""},
		{"unknown authority", server.URL, nil, nil, "signed by an authority that spec.caBundle does not hold"},
		{"another name", otherName, ca, nil, "is for other names"},
		{"another name allowed", otherName, ca, []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSSubjectName}, ""},
		{"another name with other checks off", otherName, ca, []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSValidityPeriod}, "is for other names"},
		{"names off, authority unknown", server.URL, nil, []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSSubjectName}, "signed by an authority"},
		{"everything off", otherName, nil, []fedcorev1beta1.TLSValidation{fedcorev1beta1.TLSAll}, ""},
		{"plain HTTP", strings.Replace(server.URL, "https", "http", 1), ca, nil, "400"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := NewProber(Access{Endpoint: tc.endpoint, CA: tc.ca, Token: "t", Validations: tc.disabled}, "fed/s", "", 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			o := p.Healthz(t.Context())
			if (tc.want == "") != (o.Verdict == Ready) || !strings.Contains(o.Detail, tc.want) {
				t.Errorf("%s: %s, want %q", o.Verdict, o.Detail, tc.want)
			}
		})
	}
}

func TestProbeAnswers(t *testing.T) {
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		verdict Verdict
		want    string
	}{
		{"401", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, NotReady, "401 Unauthorized: the token in Secret fed/s is not accepted"},
		{"403", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, NotReady, "403 Forbidden: the token in Secret fed/s may not get /healthz"},
		{"unwell", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "[+]ping ok\n[-]etcd failed: reason withheld\nhealthz check failed\n")
		}, NotReady, "500 Internal Server Error: failing checks: etcd"},
		{"something else", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, NotReady, "does not answer like a Kubernetes API server"},
		{"closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Offline, "connection closed by"},
		{"silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, Offline, "within 200ms"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewTLSServer(tc.handler)
			defer server.Close()
			limit := time.Minute
			if tc.name == "silent" {
				limit = 200 * time.Millisecond
			}
			p, err := NewProber(Access{Endpoint: server.URL, CA: pemOf(server), Token: "t"}, "fed/s", "", limit)
			if err != nil {
				t.Fatal(err)
			}
			if o := p.Healthz(t.Context()); o.Verdict != tc.verdict || !strings.Contains(o.Detail, tc.want) {
				t.Errorf("%s: %s, want %s: %q", o.Verdict, o.Detail, tc.verdict, tc.want)
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{context.DeadlineExceeded, "no answer from m:6443 within 3s"},
		{syscall.ECONNREFUSED, "connection to m:6443 refused"},
		{syscall.EHOSTUNREACH, "no route to m:6443"},
		{io.ErrUnexpectedEOF, "connection closed by m:6443"},
		{errors.New("http2: client connection lost"), "connection to m:6443 lost"},
		{tls.RecordHeaderError{}, "m:6443 does not speak TLS"},
		{errors.New("odd"), "odd"},
	} {
		if got := Describe(tc.err, "https://m:6443", 3*time.Second); !strings.HasPrefix(got, tc.want) {
			t.Errorf("Describe(%v) = %q, want %q", tc.err, got, tc.want)
		}
	}
}

// A DNS server that does not answer is told from a member that does not.
func TestANameThatIsNotResolvedIsSaid(t *testing.T) {
	silent, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // only read
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", silent.LocalAddr().String())
	}}
	p, err := NewProber(Access{Endpoint: "https://member-1.example.com:6443", Token: "t"}, "fed/s", "", 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	want := `the host name "member-1.example.com" of spec.apiEndpoint was not resolved within 200ms: no DNS server has answered`
	if o := p.Healthz(t.Context()); o.Verdict != Offline || o.Detail != want {
		t.Errorf("%s: %s, want %s: %s", o.Verdict, o.Detail, Offline, want)
	}
}

func pemOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

func TestRefusedCredentialsAreToldApart(t *testing.T) {
	for code, refused := range map[int]bool{http.StatusUnauthorized: true, http.StatusForbidden: false, http.StatusInternalServerError: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		p := &Prober{endpoint: server.URL, timeout: 5 * time.Second, http: server.Client()}
		if o := p.Healthz(t.Context()); o.Refused != refused || o.Verdict != NotReady {
			t.Errorf("%d: %+v", code, o)
		}
		server.Close()
	}
}
