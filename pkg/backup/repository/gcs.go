package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/httptransport"
	googlestorage "cloud.google.com/go/storage"
	"github.com/kopia/kopia/repo/blob"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/network"
)

// GCS is a bucket of Google Cloud Storage.
type GCS struct {
	Bucket string
	// Prefix of all names in the bucket; a "/" at its end is added if it is missing.
	Prefix string
	// ServiceAccountKey is a service account's key in JSON; without it the identity of
	// the environment is used.
	ServiceAccountKey []byte

	secret string
}

const gcsCredentials = "spec.gcs.credentialsSecretRef" //nolint:gosec // a field, no credentials

func gcsOf(spec *v1alpha1.BackupRepositorySpec) Storage {
	of := spec.GCS
	if of == nil {
		return nil
	}
	return &GCS{Bucket: of.Bucket, Prefix: of.Prefix, secret: secretName(of.CredentialsSecretRef)}
}

// String says where the bucket is; it keeps credentials out of %v.
func (g GCS) String() string { return fmt.Sprintf("gs://%s/%s", g.Bucket, g.Prefix) }

// GoString keeps credentials out of %#v.
func (g GCS) GoString() string { return g.String() }

// Location implements Storage.
func (g *GCS) Location() string { return "gs://" + g.Bucket + "/" + directoryPrefix(g.Prefix) }

// Credentials implements Storage.
func (g *GCS) Credentials() (secret, field string) { return g.secret, gcsCredentials }

// Take implements Storage.
func (g *GCS) Take(data map[string][]byte) (missing string) {
	const key = "serviceAccountKey"
	if g.ServiceAccountKey = data[key]; len(g.ServiceAccountKey) == 0 {
		return key
	}
	return ""
}

// Own implements Storage.
func (g *GCS) Own() Own {
	if g.secret == "" {
		return Own{Identity: gcsCredentials}
	}
	return Own{}
}

func (g *GCS) validate() error {
	if g.Bucket == "" {
		return errors.New("gcs.bucket is empty")
	}
	return nil
}

func (g *GCS) connect(rules network.Rules) (backend, error) {
	client := rules.Client(nil)
	options := []option.ClientOption{option.WithHTTPClient(client)}
	if os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		found, err := g.credentials(rules)
		if err == nil {
			err = httptransport.AddAuthorizationMiddleware(client, found)
		}
		if err != nil {
			return nil, err
		}
		options = append(options, option.WithAuthCredentials(found))
	} else if _, err := g.key(rules); err != nil {
		return nil, err
	}
	// The context is that of later requests for tokens, not of this call.
	storage, err := googlestorage.NewClient(context.Background(), options...)
	if err != nil {
		return nil, invalid(err)
	}
	return &inBucket{bucket: &gcsBucket{config: g, client: storage, objects: storage.Bucket(g.Bucket)}, prefix: directoryPrefix(g.Prefix), where: g.String()}, nil
}

// credentials are those that were given, whose tokens come from Google within the
// bounds of the network, or those of the environment.
func (g *GCS) credentials(rules network.Rules) (*auth.Credentials, error) {
	key, err := g.key(rules)
	if err != nil {
		return nil, err
	}
	options := &credentials.DetectOptions{Scopes: []string{googlestorage.ScopeFullControl}}
	if key == nil {
		found, err := credentials.DetectDefault(options)
		if err != nil {
			return nil, g.noCredentials("without a credentialsSecretRef the executor needs an identity of its own", err)
		}
		return found, nil
	}
	options.Client = rules.Client(nil)
	found, err := credentials.NewCredentialsFromJSON(credentials.ServiceAccount, key, options)
	if err != nil { // the cause may quote the key
		return nil, g.noCredentials("the key is not that of a service account, in JSON as Google Cloud gives it", nil)
	}
	return found, nil
}

func (g *GCS) noCredentials(hint string, cause error) error {
	return &Error{Reason: AccessDenied, Err: cause, Message: fmt.Sprintf("no credentials for the bucket %s of Google Cloud Storage: %s", g.Bucket, hint)}
}

// Where Google gives tokens for keys of service accounts.
const (
	googleTokenURI = "https://oauth2.googleapis.com/token" //nolint:gosec // an address, no token
	googleUniverse = "googleapis.com"
)

// key is the service account's key with what it must not say for itself: where the
// executor sends a signed request, and what it takes for Google.
func (g *GCS) key(rules network.Rules) ([]byte, error) {
	if len(g.ServiceAccountKey) == 0 {
		return nil, nil
	}
	const notAKey = "the key is not that of a service account, in JSON as Google Cloud gives it"
	var fields map[string]any
	if err := json.Unmarshal(g.ServiceAccountKey, &fields); err != nil {
		return nil, g.noCredentials(notAKey, nil)
	}
	if kind, _ := fields["type"].(string); kind != "service_account" {
		return nil, g.noCredentials(notAKey+": other types name files and addresses that this executor would have to read; "+
			"give the executor an identity of its own instead (its setting backup-own-identity)", nil)
	}
	uri, _ := fields["token_uri"].(string)
	known := []string{"", googleTokenURI, "https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token"}
	switch universe, _ := fields["universe_domain"].(string); {
	case slices.Contains(rules.TokenURIs, uri) && uri != "":
		return g.ServiceAccountKey, nil
	case !slices.Contains(known, uri) || (universe != "" && universe != googleUniverse):
		return nil, g.noCredentials("the key's token_uri or universe_domain is not Google's: correct it, or allow the address with the controller's setting backup-token-uris", nil)
	}
	fields["token_uri"], fields["universe_domain"] = googleTokenURI, googleUniverse
	return json.Marshal(fields)
}

type gcsBucket struct {
	config  *GCS
	client  *googlestorage.Client
	objects *googlestorage.BucketHandle
}

func (b *gcsBucket) close() error { return b.client.Close() }

func (b *gcsBucket) exists(ctx context.Context) error {
	_, err := b.objects.Objects(ctx, &googlestorage.Query{Prefix: directoryPrefix(b.config.Prefix) + string(absentID)}).Next()
	switch {
	case err == nil, errors.Is(err, iterator.Done):
		return nil
	case errors.Is(err, googlestorage.ErrBucketNotExist):
		return &Error{Reason: BucketMissing, Message: fmt.Sprintf(
			"the bucket %s does not exist in Google Cloud Storage: create it, or correct its name", b.config.Bucket)}
	}
	return wrap(ctx, gcsFault(err), "cannot find the bucket %s in Google Cloud Storage", b.config.Bucket)
}

func (b *gcsBucket) read(ctx context.Context, name string, offset, length int64, into io.Writer) error {
	reader, err := b.objects.Object(name).NewRangeReader(ctx, offset, length)
	if err != nil {
		return gcsFault(err)
	}
	defer func() { _ = reader.Close() }()
	_, err = io.Copy(into, reader)
	return gcsFault(err)
}

func (b *gcsBucket) stat(ctx context.Context, name string) (int64, time.Time, error) {
	attributes, err := b.objects.Object(name).Attrs(ctx)
	if err != nil {
		return 0, time.Time{}, gcsFault(err)
	}
	return attributes.Size, attributes.Updated, nil
}

func (b *gcsBucket) write(ctx context.Context, name string, data io.ReadSeeker, _ int64, onlyNew bool) error {
	object := b.objects.Object(name)
	if onlyNew {
		object = object.If(googlestorage.Conditions{DoesNotExist: true})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends a writer that was not closed
	writer := object.NewWriter(ctx)
	writer.ContentType = blobType
	writer.ChunkSize = 0 // one request
	if _, err := io.Copy(writer, data); err != nil {
		cancel()
		_ = writer.Close()
		return gcsFault(err)
	}
	err := writer.Close()
	if response := (*googleapi.Error)(nil); onlyNew && errors.As(err, &response) && response.Code == http.StatusPreconditionFailed {
		return blob.ErrBlobAlreadyExists
	}
	return gcsFault(err)
}

func (b *gcsBucket) remove(ctx context.Context, name string) error {
	err := b.objects.Object(name).Delete(ctx)
	if errors.Is(err, googlestorage.ErrObjectNotExist) {
		return nil
	}
	return gcsFault(err)
}

func (b *gcsBucket) list(ctx context.Context, prefix string, use func(string, int64, time.Time) error) error {
	query := &googlestorage.Query{Prefix: prefix, Delimiter: "/"}
	if err := query.SetAttrSelection([]string{"Name", "Size", "Updated"}); err != nil {
		return err
	}
	for found := b.objects.Objects(ctx, query); ; {
		object, err := found.Next()
		switch {
		case errors.Is(err, iterator.Done):
			return nil
		case err != nil:
			return gcsFault(err)
		}
		if err := use(object.Name, object.Size, object.Updated); err != nil {
			return err
		}
	}
}

// gcsFault says what Google has answered.
func gcsFault(err error) error {
	var response *googleapi.Error
	var refused *auth.Error
	switch {
	case errors.Is(err, googlestorage.ErrObjectNotExist):
		return blob.ErrBlobNotFound
	case errors.Is(err, googlestorage.ErrBucketNotExist):
		return &fault{reason: BucketMissing, hint: hintBucket, text: "there is no such bucket", cause: err}
	case errors.As(err, &refused):
		status := 0
		if refused.Response != nil {
			status = refused.Response.StatusCode
		}
		f := answerFault("who gives the tokens", status, "", err)
		f.reason, f.hint = AccessDenied, hintCredentials
		return f
	case errors.As(err, &response):
		code := ""
		if len(response.Errors) > 0 {
			code = response.Errors[0].Reason
		}
		return answerFault("Google Cloud Storage", response.Code, code, err)
	}
	return requestFault(err)
}
