package localstorage

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
)

// AzureAccount is the storage account of an Azure server.
const AzureAccount = "fedctl"

// AzureKey is the account's key.
var AzureKey = base64.StdEncoding.EncodeToString([]byte("local-storage-key-for-tests"))

// azureEndpoint has the account's name in its host, as Azure's have. There is no such
// host: AzureProxy leads to the server.
const azureEndpoint = "http://" + AzureAccount + ".blob.example"

// azureAddress is that of the server that was started last.
var azureAddress atomic.Pointer[string]

// AzureProxy runs an HTTP proxy in this process that hands every request to the server
// that was started last. HTTP_PROXY has to name it before the first request to
// anywhere: Go reads the variable once.
func AzureProxy() (address string, closeProxy func()) {
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", "127.0.0.1:0" // and the name of the host as it was
		if server := azureAddress.Load(); server != nil {
			r.Out.URL.Host = *server
		}
	}})
	return proxy.URL, proxy.Close
}

// Azure is a running server of Azure Blob Storage's API.
type Azure struct {
	*Process
	Endpoint string
}

// ErrNoNode is that the server cannot run here.
var ErrNoNode = errors.New("Azurite needs Node.js, which is not installed") //nolint:staticcheck // a name

// StartAzure starts a server on a free port, which keeps its data in memory.
func StartAzure(ctx context.Context) (*Azure, error) {
	if _, err := exec.LookPath("npm"); err != nil {
		return nil, ErrNoNode
	}
	process, err := newProcess("azurite", "FEDCTL_AZURITE")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(process.address)
	if err != nil {
		return nil, err
	}
	process.args = []string{"--blobHost", host, "--blobPort", port, "--inMemoryPersistence", "--silent", "--skipApiVersionCheck"}
	process.env = []string{"AZURITE_ACCOUNTS=" + AzureAccount + ":" + AzureKey}
	azureAddress.Store(&process.address)
	return &Azure{Process: process, Endpoint: azureEndpoint}, process.Restart(ctx)
}

func (s *Azure) client() (*azblob.Client, error) {
	key, err := azblob.NewSharedKeyCredential(AzureAccount, AzureKey)
	if err != nil {
		return nil, err
	}
	return azblob.NewClientWithSharedKeyCredential(s.Endpoint, key, &azblob.ClientOptions{ClientOptions: azcore.ClientOptions{InsecureAllowCredentialWithHTTP: true}})
}

// CreateContainer makes a container.
func (s *Azure) CreateContainer(ctx context.Context, name string) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	_, err = client.CreateContainer(ctx, name, nil)
	return err
}

// RemoveContainer removes a container and everything in it.
func (s *Azure) RemoveContainer(ctx context.Context, name string) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	_, err = client.DeleteContainer(ctx, name, nil)
	return err
}

// Token returns a SAS token that allows everything in a container for some time.
func (s *Azure) Token(name string, valid time.Duration) (string, error) {
	client, err := s.client()
	if err != nil {
		return "", err
	}
	permissions := sas.ContainerPermissions{Read: true, Add: true, Create: true, Write: true, Delete: true, List: true}
	url, err := client.ServiceClient().NewContainerClient(name).GetSASURL(permissions, time.Now().Add(valid), nil)
	_, token, _ := strings.Cut(url, "?")
	return token, err
}
