package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/blob/azure"
)

type azureBackend struct {
	config    *Azure
	options   azure.Options
	container *container.Client
}

// newAzureBackend makes a client of our own beside kopia's, as newS3Backend does.
func newAzureBackend(config *Azure) (*azureBackend, error) {
	endpoint, err := config.endpoint()
	if err != nil {
		return nil, &Error{Reason: InvalidConfiguration, Message: "the repository's configuration is wrong", Err: err}
	}
	b := &azureBackend{config: config, options: azure.Options{
		Container: config.Container, Prefix: directoryPrefix(config.Prefix), StorageAccount: config.StorageAccount,
		StorageDomain: strings.TrimPrefix(endpoint.Host, config.StorageAccount+"."), DoNotUseTLS: endpoint.Scheme == "http",
		StorageKey: config.StorageKey, SASToken: strings.TrimPrefix(config.SASToken, "?"),
	}}
	options := &azblob.ClientOptions{ClientOptions: azcore.ClientOptions{InsecureAllowCredentialWithHTTP: b.options.DoNotUseTLS}}
	var client *azblob.Client
	if b.options.SASToken != "" {
		client, err = azblob.NewClientWithNoCredential(endpoint.String()+"?"+b.options.SASToken, options)
	} else {
		var key *azblob.SharedKeyCredential
		if key, err = azblob.NewSharedKeyCredential(config.StorageAccount, config.StorageKey); err == nil {
			client, err = azblob.NewClientWithSharedKeyCredential(endpoint.String(), key, options)
		}
	}
	if err != nil {
		return nil, &Error{Reason: AccessDenied, Message: "the storage key or the SAS token cannot be used", Err: err}
	}
	b.container = client.ServiceClient().NewContainerClient(config.Container)
	return b, nil
}

func (b *azureBackend) cancellable() bool { return true }

func (b *azureBackend) makeDirectory() error { return nil }

func (b *azureBackend) close() error { return nil }

func (b *azureBackend) open(ctx context.Context) (blob.Storage, error) {
	options := b.options
	opened, err := azure.New(ctx, &options, false)
	return opened, concise(err)
}

func (b *azureBackend) check(ctx context.Context) error {
	pager := b.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: to.Ptr(b.name(absentID)), MaxResults: to.Ptr[int32](1)})
	_, err := pager.NextPage(ctx)
	if bloberror.HasCode(err, bloberror.ContainerNotFound) {
		return &Error{Reason: BucketMissing, Message: fmt.Sprintf(
			"the container %s does not exist in the storage account %s: create it, or correct its name", b.config.Container, b.config.StorageAccount)}
	}
	return wrap(ctx, concise(err), "cannot find the container %s of the storage account %s", b.config.Container, b.config.StorageAccount)
}

func (b *azureBackend) putNew(ctx context.Context, id blob.ID, data []byte) error {
	_, err := b.container.NewBlockBlobClient(b.name(id)).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
		AccessConditions: &azureblob.AccessConditions{ModifiedAccessConditions: &azureblob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}},
	})
	if bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet) {
		return blob.ErrBlobAlreadyExists
	}
	return concise(err)
}

func (b *azureBackend) get(ctx context.Context, id blob.ID) ([]byte, error) {
	response, err := b.container.NewBlobClient(b.name(id)).DownloadStream(ctx, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil, blob.ErrBlobNotFound
	}
	if err != nil {
		return nil, concise(err)
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body)
}

func (b *azureBackend) name(id blob.ID) string { return b.options.Prefix + string(id) }

// endpoint is that of the account.
func (a *Azure) endpoint() (*url.URL, error) {
	text := a.Endpoint
	if text == "" {
		text = "https://" + a.StorageAccount + ".blob.core.windows.net"
	}
	parsed, err := url.Parse(text)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || !strings.HasPrefix(parsed.Host, a.StorageAccount+".") ||
		strings.Trim(parsed.Path, "/") != "" || parsed.User != nil || parsed.RawQuery != "" {
		return nil, fmt.Errorf("azure.endpoint must be https://%s.host[:port]", a.StorageAccount)
	}
	return &url.URL{Scheme: parsed.Scheme, Host: parsed.Host}, nil
}

// azureError says in a line what the SDK says in many.
type azureError struct{ response *azcore.ResponseError }

func (e *azureError) Error() string {
	return fmt.Sprintf("Azure answers %d %s: %s", e.response.StatusCode, http.StatusText(e.response.StatusCode), e.response.ErrorCode)
}
func (e *azureError) Unwrap() error { return e.response }

// concise shortens an answer of Azure, and the address of a request that got none: its
// query may hold a token.
func concise(err error) error {
	var response *azcore.ResponseError
	var request *url.Error
	switch {
	case errors.As(err, &response):
		return &azureError{response}
	case errors.As(err, &request):
		address, _, _ := strings.Cut(request.URL, "?")
		return &url.Error{Op: request.Op, URL: address, Err: request.Err}
	}
	return err
}

func classifyAzure(err error) (Reason, string, bool) {
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		return "", "", false
	}
	if response.ErrorCode == string(bloberror.ContainerNotFound) {
		return BucketMissing, "create the container, or correct its name", true
	}
	return classifyStatus(response.StatusCode)
}
