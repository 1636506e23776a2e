package repository_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fedctl/fedctl/internal/localstorage"
	"github.com/fedctl/fedctl/pkg/backup/network"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// at is a repository that a server of the test claims to hold.
func at(t *testing.T, endpoint string) repository.Config {
	t.Helper()
	return repository.Config{Password: "correct horse", Timeout: 20 * time.Second, CacheDir: t.TempDir(), Network: loopback, Storage: &repository.S3{
		Endpoint: endpoint, Bucket: "backups", Region: localstorage.Region, AccessKeyID: "a", SecretAccessKey: "b"}}
}

// TestAnswersWithoutEnd: a server that answers for as long as somebody listens is not
// listened to, whichever request it does that for.
func TestAnswersWithoutEnd(t *testing.T) {
	for name, endless := range map[string]func(r *http.Request) bool{
		"every answer": func(r *http.Request) bool { return r.Method != http.MethodHead },
		"small blobs":  func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.RawQuery == "" },
		"lists":        func(r *http.Request) bool { return r.URL.Query().Has("list-type") },
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !endless(r) {
					w.WriteHeader(http.StatusOK)
					return
				}
				w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
				w.Header().Set("ETag", `"1"`)
				if r.URL.Query().Has("list-type") {
					_, _ = fmt.Fprint(w, `<ListBucketResult><Contents><Key>`)
				}
				page := []byte(strings.Repeat("endless ", 8<<10))
				for sent.Load() < 1<<30 {
					n, err := w.Write(page)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			}))
			defer server.Close()
			_, err := repository.Open(t.Context(), at(t, server.URL), owner)
			if err == nil || strings.Contains(err.Error(), "endless") {
				t.Errorf("got %v", err)
			}
			// A few requests, each with what fits into the connection's buffers beside.
			if n := sent.Load(); n > 256<<20 {
				t.Errorf("%d bytes were taken: %v", n, err)
			}
		})
	}
}

// TestNoAnswerIsQuoted: what a page says that only the executor can see is for nobody
// else.
func TestNoAnswerIsQuoted(t *testing.T) {
	for _, status := range []int{200, 302, 400, 403, 404, 412, 500} {
		for name, page := range map[string]string{
			"HTML": "<html><body>hidden</body></html>", "text": "hidden", "JSON": `{"error":"hidden"}`,
			"an S3 error":  "<Error><Code>hid den</Code><Message>hidden</Message></Error>",
			"another list": "<hidden><hidden/></hidden>",
		} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Minio-Error-Desc", "hidden")
				w.Header().Set("Location", "/hidden")
				w.WriteHeader(status)
				_, _ = fmt.Fprint(w, page)
			}))
			config := at(t, server.URL)
			config.Timeout = time.Second
			_, err := repository.Open(t.Context(), config, owner)
			if err == nil || strings.Contains(err.Error(), "hid") {
				t.Errorf("%d with %s: got %v", status, name, err)
			}
			server.Close()
		}
	}
}

// TestAddressOutOfBounds: without a setting that allows it, no repository is on the
// machine of the executor.
func TestAddressOutOfBounds(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the server was reached") }))
	defer server.Close()
	config := at(t, strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
	config.Network = network.Rules{}
	_, err := repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.AddressNotAllowed)
	if !strings.Contains(err.Error(), "backup-storage-addresses") {
		t.Errorf("the error does not name the setting: %v", err)
	}
}

// TestKeysThatLeadElsewhere: no key says where the executor asks for tokens.
func TestKeysThatLeadElsewhere(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.Error(w, "hidden", http.StatusForbidden)
	}))
	defer server.Close()
	key := func(fields map[string]any) []byte {
		all := map[string]any{"type": "service_account", "client_email": "a@example.com", "private_key_id": "1", "private_key": privateKey(t)}
		for name, value := range fields {
			all[name] = value
		}
		data, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, fields := range map[string]map[string]any{
		"token URI": {"token_uri": server.URL}, "universe": {"universe_domain": "example.com"},
		"external account": {"type": "external_account", "token_url": server.URL, "credential_source": map[string]any{"url": server.URL}},
		"user":             {"type": "authorized_user", "token_uri": server.URL},
		"impersonated":     {"type": "impersonated_service_account", "service_account_impersonation_url": server.URL},
	} {
		config := repository.Config{Password: "p", Timeout: 5 * time.Second, CacheDir: t.TempDir(), Network: loopback,
			Storage: &repository.GCS{Bucket: "backups", ServiceAccountKey: key(fields)}}
		_, err := repository.Open(t.Context(), config, owner)
		wantReason(t, err, repository.AccessDenied)
		if err != nil && strings.Contains(err.Error(), server.URL) {
			t.Errorf("%s: the error quotes the key: %v", name, err)
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests were made", n)
	}
	config := repository.Config{Password: "p", Timeout: 5 * time.Second, CacheDir: t.TempDir(),
		Network: network.Rules{Allowed: loopback.Allowed, TokenURIs: []string{server.URL}},
		Storage: &repository.GCS{Bucket: "backups", ServiceAccountKey: key(map[string]any{"token_uri": server.URL})}}
	_, err := repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.AccessDenied)
	if asked.Load() == 0 || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%d requests were made where they are allowed: %v", asked.Load(), err)
	}
}

// privateKey is one of nobody.
func privateKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
