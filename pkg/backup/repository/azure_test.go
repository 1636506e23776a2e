package repository_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fedctl/fedctl/internal/localstorage"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

func TestMain(m *testing.M) {
	proxy, closeProxy := localstorage.AzureProxy()
	if err := os.Setenv("HTTP_PROXY", proxy); err != nil {
		panic(err)
	}
	code := m.Run()
	closeProxy()
	os.Exit(code)
}

// onAzure starts a server with a container.
func onAzure(t *testing.T) (*localstorage.Azure, repository.Config) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a server of Azure Blob Storage's API")
	}
	server, err := localstorage.StartAzure(t.Context())
	if errors.Is(err, localstorage.ErrNoNode) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	stopAfter(t, server.Process)
	if err := server.CreateContainer(t.Context(), "backups"); err != nil {
		t.Fatal(err)
	}
	return server, repository.Config{
		Storage: &repository.Azure{StorageAccount: localstorage.AzureAccount, Container: "backups", Prefix: "clusters/a",
			Endpoint: server.Endpoint, StorageKey: localstorage.AzureKey},
		Password: "correct horse", CacheDir: t.TempDir(), Network: loopback,
	}
}

func TestAzure(t *testing.T) {
	server, config := onAzure(t)
	wrong := *config.Storage.(*repository.Azure)
	wrong.StorageKey = "YW5vdGhlciBzdG9yYWdlIGtleQ=="
	_, err := repository.Open(t.Context(), repository.Config{Storage: &wrong, Network: loopback, Password: "correct horse"}, owner)
	wantReason(t, err, repository.AccessDenied)
	if strings.Contains(err.Error(), wrong.StorageKey) || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error names the key, or has many lines: %v", err)
	}
	wrong.StorageKey = "no base64"
	_, err = repository.Open(t.Context(), repository.Config{Storage: &wrong, Network: loopback, Password: "correct horse"}, owner)
	wantReason(t, err, repository.AccessDenied)

	r := open(t, config)
	bucketIsUsed(t, r, config)
	if err := server.RemoveContainer(t.Context(), "backups"); err != nil {
		t.Fatal(err)
	}
	bucketIsGone(t, r, config)
}

// TestAzureToken uses a token that is signed with the account's key, for the container.
func TestAzureToken(t *testing.T) {
	server, config := onAzure(t)
	token, err := server.Token("backups", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	azure := config.Storage.(*repository.Azure)
	azure.StorageKey, azure.SASToken = "", token
	bucketIsUsed(t, open(t, config), config)

	azure.SASToken = strings.Replace(token, "sig=", "sig=A", 1)
	_, err = repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.AccessDenied)
	if strings.Contains(err.Error(), "sig=") {
		t.Errorf("the error shows the token: %v", err)
	}
}

func TestAzureThatIsDown(t *testing.T) {
	server, config := onAzure(t)
	serverIsDown(t, server.Process, config)
}

// TestAzureThatIsNowhere: an error of the network names the address, not the token.
func TestAzureThatIsNowhere(t *testing.T) {
	config := repository.Config{Password: "correct horse", Timeout: 20 * time.Second, Storage: &repository.Azure{
		StorageAccount: "fedctl", Container: "backups", Endpoint: "https://fedctl.blob.invalid", SASToken: "sv=2026-02-06&sig=hidden"}}
	_, err := repository.Open(t.Context(), config, owner)
	wantReason(t, err, repository.Unreachable)
	if strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "https://fedctl.blob.invalid/backups") {
		t.Errorf("the error shows the token, or not the address: %v", err)
	}
}
