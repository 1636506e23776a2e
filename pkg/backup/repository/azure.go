package repository

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azureblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/kopia/kopia/repo/blob"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/network"
)

// Azure is a container of Azure Blob Storage.
type Azure struct {
	StorageAccount string
	Container      string
	// Prefix of all names in the container; a "/" at its end is added if it is missing.
	Prefix string
	// Endpoint of the account; https://<StorageAccount>.blob.core.windows.net by default.
	Endpoint string
	// StorageKey, one of the account's keys, or SASToken is set.
	StorageKey, SASToken string

	secret string
}

func azureOf(spec *v1alpha1.BackupRepositorySpec) Storage {
	of := spec.Azure
	if of == nil {
		return nil
	}
	return &Azure{StorageAccount: of.StorageAccount, Container: of.Container, Prefix: of.Prefix, Endpoint: of.Endpoint, secret: of.CredentialsSecretRef.Name}
}

// String says where the container is; it keeps credentials out of %v.
func (a Azure) String() string {
	return fmt.Sprintf("azure://%s/%s/%s", a.StorageAccount, a.Container, a.Prefix)
}

// GoString keeps credentials out of %#v.
func (a Azure) GoString() string { return a.String() }

// Location implements Storage.
func (a *Azure) Location() string {
	host := a.Endpoint
	if endpoint, err := a.endpoint(); err == nil {
		host = endpoint.Host
	}
	return "azure://" + strings.ToLower(host) + "/" + a.Container + "/" + directoryPrefix(a.Prefix)
}

// Credentials implements Storage.
func (a *Azure) Credentials() (secret, field string) {
	return a.secret, "spec.azure.credentialsSecretRef"
}

// Take implements Storage.
func (a *Azure) Take(data map[string][]byte) (missing string) {
	a.StorageKey, a.SASToken = string(data["storageKey"]), ""
	if a.StorageKey == "" {
		a.SASToken = string(data["sasToken"])
	}
	if a.StorageKey == "" && a.SASToken == "" {
		return "storageKey"
	}
	return ""
}

// Own implements Storage.
func (a *Azure) Own() Own { return Own{} }

func (a *Azure) validate() error {
	switch {
	case a.StorageAccount == "":
		return errors.New("azure.storageAccount is empty")
	case a.Container == "":
		return errors.New("azure.container is empty")
	case (a.StorageKey == "") == (a.SASToken == ""):
		return errors.New("exactly one of the storage key and the SAS token must be set")
	}
	_, err := a.endpoint()
	return err
}

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

func (a *Azure) connect(rules network.Rules) (backend, error) {
	endpoint, err := a.endpoint()
	if err != nil {
		return nil, invalid(err)
	}
	http := rules.Client(nil)
	clock := watchClock(http)
	options := &azblob.ClientOptions{ClientOptions: azcore.ClientOptions{
		InsecureAllowCredentialWithHTTP: endpoint.Scheme == "http", Transport: http,
	}}
	var client *azblob.Client
	if a.SASToken != "" {
		client, err = azblob.NewClientWithNoCredential(endpoint.String()+"?"+strings.TrimPrefix(a.SASToken, "?"), options)
	} else {
		var key *azblob.SharedKeyCredential
		if key, err = azblob.NewSharedKeyCredential(a.StorageAccount, a.StorageKey); err == nil {
			client, err = azblob.NewClientWithSharedKeyCredential(endpoint.String(), key, options)
		}
	}
	if err != nil { // the cause may quote the key
		return nil, &Error{Reason: AccessDenied, Message: "the storage key or the SAS token cannot be used: check what is in the Secret"}
	}
	return &inBucket{bucket: &azureContainer{config: a, clock: clock, client: client.ServiceClient().NewContainerClient(a.Container)}, prefix: directoryPrefix(a.Prefix), where: a.String()}, nil
}

type azureContainer struct {
	config *Azure
	client *container.Client
	clock  *clock
}

func (b *azureContainer) fault(err error) error { return b.clock.explain(azureFault(err)) }

func (b *azureContainer) close() error { return nil }

func (b *azureContainer) exists(ctx context.Context) error {
	prefix := directoryPrefix(b.config.Prefix) + string(absentID)
	pager := b.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, MaxResults: to.Ptr[int32](1)})
	_, err := pager.NextPage(ctx)
	if bloberror.HasCode(err, bloberror.ContainerNotFound) {
		return &Error{Reason: BucketMissing, Message: fmt.Sprintf(
			"the container %s does not exist in the storage account %s: create it, or correct its name", b.config.Container, b.config.StorageAccount)}
	}
	return wrap(ctx, b.fault(err), "cannot find the container %s of the storage account %s", b.config.Container, b.config.StorageAccount)
}

func (b *azureContainer) read(ctx context.Context, name string, offset, length int64, into io.Writer) error {
	options := &azureblob.DownloadStreamOptions{}
	if length >= 0 {
		options.Range = azureblob.HTTPRange{Offset: offset, Count: length}
	}
	response, err := b.client.NewBlobClient(name).DownloadStream(ctx, options)
	if err != nil {
		return b.fault(err)
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(into, response.Body)
	return b.fault(err)
}

func (b *azureContainer) stat(ctx context.Context, name string) (int64, time.Time, error) {
	found, err := b.client.NewBlobClient(name).GetProperties(ctx, nil)
	if err != nil {
		return 0, time.Time{}, b.fault(err)
	}
	return valueOf(found.ContentLength), valueOf(found.LastModified), nil
}

func (b *azureContainer) write(ctx context.Context, name string, data io.ReadSeeker, _ int64, onlyNew bool) error {
	options := &blockblob.UploadOptions{}
	if onlyNew {
		options.AccessConditions = &azureblob.AccessConditions{ModifiedAccessConditions: &azureblob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}
	}
	_, err := b.client.NewBlockBlobClient(name).Upload(ctx, streaming.NopCloser(data), options)
	if onlyNew && bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet) {
		return blob.ErrBlobAlreadyExists
	}
	return b.fault(err)
}

func (b *azureContainer) remove(ctx context.Context, name string) error {
	_, err := b.client.NewBlobClient(name).Delete(ctx, nil)
	if err = b.fault(err); errors.Is(err, blob.ErrBlobNotFound) {
		return nil
	}
	return err
}

func (b *azureContainer) list(ctx context.Context, prefix string, use func(string, int64, time.Time) error) error {
	pager := b.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return b.fault(err)
		}
		if page.Segment == nil {
			continue
		}
		for _, item := range page.Segment.BlobItems {
			if item == nil || item.Name == nil || item.Properties == nil {
				continue
			}
			if err := use(*item.Name, valueOf(item.Properties.ContentLength), valueOf(item.Properties.LastModified)); err != nil {
				return err
			}
		}
	}
	return nil
}

// valueOf is what a pointer of an answer leads to, or the zero value.
func valueOf[T any](pointer *T) T {
	if pointer == nil {
		var zero T
		return zero
	}
	return *pointer
}

// azureFault says what Azure has answered.
func azureFault(err error) error {
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		return requestFault(err)
	}
	f := answerFault("Azure", response.StatusCode, response.ErrorCode, err)
	switch {
	case bloberror.HasCode(err, bloberror.ContainerNotFound):
		f.reason, f.hint = BucketMissing, "create the container, or correct its name"
	case bloberror.HasCode(err, bloberror.BlobNotFound):
		return blob.ErrBlobNotFound
	}
	return f
}
