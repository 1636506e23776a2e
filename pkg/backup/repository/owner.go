package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/blob"
	"github.com/kopia/kopia/repo/format"
)

// The owner mark is the first blob of a repository; kopia ignores it. Its name is
// no prefix of any that kopia uses.
const markID blob.ID = "fedctl.owner"

// absentID is the name of no blob. Whether a bucket is there is found out by listing
// it: to look at the bucket itself needs more rights than to use it.
const absentID blob.ID = "fedctl.none"

// mark is written once and never changed.
type mark struct {
	Version    int       `json:"version"`
	ClusterUID string    `json:"clusterUID"`
	Created    time.Time `json:"created"`
}

// readMark returns the owner mark, or nil if there is none.
func readMark(ctx context.Context, from backend) (*mark, error) {
	data, err := from.get(ctx, markID)
	if errors.Is(err, blob.ErrBlobNotFound) {
		return nil, nil //nolint:nilnil // no mark is an answer
	}
	if err != nil {
		return nil, err
	}
	var found mark
	if err := json.Unmarshal(data, &found); err != nil || found.ClusterUID == "" {
		return nil, &Error{Reason: Corrupt, Err: err, Message: fmt.Sprintf("the owner mark %q cannot be read", markID)}
	}
	return &found, nil
}

// readIdentity returns the identity that kopia gave the repository when it was
// created, or "" if there is none.
func readIdentity(ctx context.Context, from backend) (string, error) {
	data, err := from.get(ctx, format.KopiaRepositoryBlobID)
	if errors.Is(err, blob.ErrBlobNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	parsed, err := format.ParseKopiaRepositoryJSON(data)
	if err != nil || len(parsed.UniqueID) == 0 {
		return "", &Error{Reason: Corrupt, Err: err, Message: fmt.Sprintf("the repository's %q cannot be read", format.KopiaRepositoryBlobID)}
	}
	return string(parsed.UniqueID), nil
}

// own makes sure that the repository belongs to the owner, and creates it where there
// is none. The mark is written before anything else and only if there is none, so
// that of several clusters who try at once one wins and the others write nothing.
func own(ctx context.Context, target backend, config Config, owner Owner) error {
	// The identity first: it is written after the mark. Whoever looked for the mark before
	// it was there, and found the identity after, would take its own repository, which
	// another look has just created, for a foreign one.
	identity, err := readIdentity(ctx, target)
	if err != nil {
		return err
	}
	found, err := readMark(ctx, target)
	if err != nil {
		return err
	}
	switch {
	case found != nil && found.ClusterUID != owner.ClusterUID:
		return foreign(found)
	case found == nil && identity != "":
		return &Error{Reason: ForeignOwner, Message: "there is a kopia repository that fedctl has not created: use another prefix or path"}
	case found != nil && identity != "":
		return nil
	case config.MustExist:
		return &Error{Reason: NotFound, Message: "there is no repository (any more): what was saved in it is lost; " +
			"bring the data back, or make a new BackupRepository to start afresh"}
	}
	if err := putMark(ctx, target, owner); err != nil {
		return notWritable(wrap(ctx, err, "cannot create the repository at %s", config), config, "written")
	}
	return create(ctx, target, config)
}

func putMark(ctx context.Context, target backend, owner Owner) error {
	data, err := json.Marshal(mark{Version: 1, ClusterUID: owner.ClusterUID, Created: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	err = target.putNew(ctx, markID, data)
	if err != nil && !errors.Is(err, blob.ErrBlobAlreadyExists) {
		return err
	}
	// Read it back in any case: what counts is what is there.
	found, err := readMark(ctx, target)
	switch {
	case err != nil:
		return err
	case found == nil:
		return &Error{Reason: StorageError, Message: "the owner mark was written, but is not there"}
	case found.ClusterUID != owner.ClusterUID:
		return foreign(found)
	}
	return nil
}

func foreign(found *mark) error {
	return &Error{Reason: ForeignOwner, Message: fmt.Sprintf(
		"the data belongs to the cluster with the UID %s: give this cluster another prefix or path, or read the data with a Restore", found.ClusterUID)}
}

// The formats: what writes fastest among those that kopia considers safe. Contents
// are hashed with a key, so that a hash tells nothing about what was saved.
const (
	hashAlgorithm       = "BLAKE3-256-128"
	encryptionAlgorithm = "AES256-GCM-HMAC-SHA256"
	splitterAlgorithm   = "DYNAMIC-4M-BUZHASH"
)

// create writes kopia's format blob, unless somebody of this cluster was faster.
func create(ctx context.Context, target backend, config Config) error {
	opened, err := target.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close(ctx) }()
	err = repo.Initialize(ctx, &initStorage{Storage: opened, target: target}, &repo.NewRepositoryOptions{
		BlockFormat: format.ContentFormat{
			Hash: hashAlgorithm, Encryption: encryptionAlgorithm, EnablePasswordChange: true,
		},
		ObjectFormat: format.ObjectFormat{Splitter: splitterAlgorithm},
	}, config.Password)
	if errors.Is(err, repo.ErrAlreadyInitialized) || errors.Is(err, blob.ErrBlobAlreadyExists) {
		return nil
	}
	return err
}

// initStorage lets kopia create a repository so that it is complete or not there,
// and of two creators one wins. The blob with the retention of blobs in the storage
// is left out: it would hold nothing, and without the format blob, after a kill
// between the two, kopia would refuse to begin again.
type initStorage struct {
	blob.Storage
	target backend
}

func (s *initStorage) PutBlob(ctx context.Context, id blob.ID, data blob.Bytes, _ blob.PutOptions) error {
	if id != format.KopiaRepositoryBlobID {
		return nil
	}
	var plain bytesBuffer
	if _, err := data.WriteTo(&plain); err != nil {
		return err
	}
	return s.target.putNew(ctx, id, plain)
}

type bytesBuffer []byte

func (b *bytesBuffer) Write(p []byte) (int, error) { *b = append(*b, p...); return len(p), nil }
