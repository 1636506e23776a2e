package repository

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kopia/kopia/repo"
	"github.com/kopia/kopia/repo/content"
)

// Repository is an open repository. Its methods may be called concurrently.
type Repository struct {
	config   Config
	target   backend
	storage  *storage
	direct   repo.DirectRepository
	owner    Owner
	identity string
	cache    *cache
	// next says that it was the next password that has opened it.
	next bool
	// damage is what was found to be lost; nil before anybody has looked.
	damage *damage
}

// Open opens the repository of a cluster for reading and writing, and creates it
// where there is none, unless config.MustExist. What belongs to another cluster is
// refused with ForeignOwner and not written to. ctx limits the opening only.
func Open(ctx context.Context, config Config, owner Owner) (*Repository, error) {
	if owner.ClusterUID == "" {
		return nil, &Error{Reason: InvalidConfiguration, Message: "the cluster's UID is empty"}
	}
	return open(ctx, config, &owner)
}

// OpenReadOnly opens the repository of any cluster to read it.
func OpenReadOnly(ctx context.Context, config Config) (*Repository, error) {
	return open(ctx, config, nil)
}

func open(ctx context.Context, config Config, owner *Owner) (*Repository, error) {
	if err := config.Validate(); err != nil {
		return nil, invalid(err)
	}
	target, err := config.Storage.connect(config.rules())
	if err != nil {
		return nil, wrap(ctx, err, "cannot open the repository at %s", config)
	}
	r := &Repository{config: config, target: target}
	if err := r.open(ctx, owner); err != nil {
		_ = r.Close(context.WithoutCancel(ctx))
		return nil, wrap(ctx, err, "cannot open the repository at %s", config)
	}
	return r, nil
}

func (r *Repository) open(ctx context.Context, owner *Owner) error {
	if err := r.identify(ctx, owner); err != nil {
		return err
	}
	if err := r.openStorage(ctx); err != nil {
		return err
	}
	return r.openKopiaInTurn(ctx, owner == nil)
}

// identify finds out, with few small requests, whose repository this is.
func (r *Repository) identify(ctx context.Context, owner *Owner) error {
	return r.brief(ctx, func(ctx context.Context) error {
		if owner == nil {
			return r.identifyForeign(ctx)
		}
		r.owner = *owner
		if !r.config.MustExist {
			if err := r.target.makeDirectory(); err != nil {
				return err
			}
		}
		if err := r.target.check(ctx); err != nil {
			return err
		}
		if err := own(ctx, r.target, r.config, *owner); err != nil {
			return err
		}
		identity, err := readIdentity(ctx, r.target)
		r.identity = identity
		return err
	})
}

func (r *Repository) identifyForeign(ctx context.Context) error {
	if err := r.target.check(ctx); err != nil {
		return err
	}
	identity, err := readIdentity(ctx, r.target) // the mark was there before it
	if err != nil {
		return err
	}
	found, err := readMark(ctx, r.target)
	if err != nil {
		return err
	}
	if r.identity = identity; found != nil {
		r.owner = Owner{ClusterUID: found.ClusterUID}
	}
	if found == nil || r.identity == "" {
		return &Error{Reason: NotFound, Message: "there is no repository: check the prefix or path"}
	}
	return nil
}

// brief runs small requests within the time of one each, three at most.
func (r *Repository) brief(ctx context.Context, requests func(ctx context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, 3*r.config.timeout())
	defer cancel()
	err := requests(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return &Error{Reason: Unreachable, Message: fmt.Sprintf("the storage of the repository at %s does not answer", r.config), Err: err}
	}
	return err
}

func (r *Repository) openStorage(ctx context.Context) error {
	wrapped := &storage{timeout: r.config.timeout(), cancellable: r.target.cancellable()}
	err := r.brief(ctx, func(ctx context.Context) (err error) {
		wrapped.Storage, err = r.target.open(ctx)
		return err
	})
	if err != nil {
		return err
	}
	wrapped.register()
	r.storage = wrapped
	return nil
}

// How much of a bucket's data is kept in temporary files while it is open, so that
// reading does not fetch the same pack again and again (a directory needs none), and for
// how long the blob with the keys is.
const (
	contentCacheBytes  = 512 << 20
	metadataCacheBytes = 256 << 20
	formatBlobCache    = 365 * 24 * time.Hour
)

// openings are the repositories that may be opened at a time. For each, kopia needs 64 MiB
// to derive the key from the password, and a controller that begins opens those of all
// clusters. A storage that does not answer has been found out before, by identify.
var openings = make(chan struct{}, 4)

// openKopiaInTurn is openKopia when it has its turn.
func (r *Repository) openKopiaInTurn(ctx context.Context, readOnly bool) error {
	select {
	case openings <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-openings }()
	return r.openKopia(ctx, readOnly)
}

func (r *Repository) openKopia(ctx context.Context, readOnly bool) (err error) {
	if r.cache, err = newCache(r.config.CacheDir); err != nil {
		return err
	}
	file := filepath.Join(r.cache.path, "kopia.config")
	if err := r.writeConfig(file, readOnly); err != nil {
		return err
	}
	ctx, done := r.storage.hopeful(ctx)
	defer done()
	// kopia exits the process on errors that it calls fatal, unless told otherwise: the
	// operation fails as well, which is enough.
	options := &repo.Options{DisableRepositoryLog: true, DoNotWaitForUpgrade: true, OnFatalError: func(error) {}}
	opened, err := repo.Open(ctx, file, r.config.Password, options)
	if errors.Is(err, repo.ErrInvalidPassword) && r.config.NextPassword != "" {
		r.next = true
		opened, err = repo.Open(ctx, file, r.config.NextPassword, options)
	}
	if err != nil {
		return wrap(ctx, err, "cannot open the repository at %s", r.config)
	}
	direct, ok := opened.(repo.DirectRepository)
	if !ok {
		return errors.Join(errors.New("kopia opened no repository of its own kind"), opened.Close(ctx))
	}
	r.direct = direct
	return nil
}

// writeConfig writes the file that kopia opens a repository by. There is no credential
// in it.
func (r *Repository) writeConfig(file string, readOnly bool) error {
	connection := r.storage.ConnectionInfo()
	config := repo.LocalConfig{
		Storage: &connection, Caching: &content.CachingOptions{},
		ClientOptions: repo.ClientOptions{
			Username: userName, Hostname: r.owner.ClusterUID, ReadOnly: readOnly,
			// Read once: whoever changes the password meanwhile does not disturb us.
			FormatBlobCacheDuration: formatBlobCache,
		},
	}
	if r.target.cancellable() {
		config.Caching = &content.CachingOptions{
			CacheDirectory:        filepath.Join(r.cache.path, "cache"),
			ContentCacheSizeBytes: contentCacheBytes, MetadataCacheSizeBytes: metadataCacheBytes,
		}
	}
	data, err := json.Marshal(&config)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

// ClusterUID is the cluster that the repository belongs to.
func (r *Repository) ClusterUID() string { return r.owner.ClusterUID }

// Location is that of the configuration it was opened with.
func (r *Repository) Location() string { return r.config.Location() }

// String says where the repository is.
func (r *Repository) String() string { return r.config.String() }

// Close ends the use of the repository and removes temporary files.
func (r *Repository) Close(ctx context.Context) error {
	var errs []error
	if r.direct != nil {
		errs = append(errs, r.direct.Close(ctx))
	}
	if r.storage != nil {
		r.storage.unregister()
	}
	errs = append(errs, r.target.close())
	if r.cache != nil {
		errs = append(errs, r.cache.remove())
	}
	return wrap(ctx, errors.Join(errs...), "cannot close the repository at %s", r.config)
}
