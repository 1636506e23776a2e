package executor

import (
	"cmp"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// Reasons of Secrets.
const (
	reasonSecretNotFound   = "SecretNotFound"
	reasonSecretIncomplete = "SecretIncomplete"
)

// access says how to open what a BackupRepository names; it reads the Secrets that
// hold the password and the credentials, and returns the version of the former.
func (c *core) access(ctx context.Context, of *v1alpha1.BackupRepository) (repository.Config, string, error) {
	config := repository.Config{Network: c.opts.Network, CacheDir: c.opts.CacheDir, Timeout: c.opts.StorageTimeout}
	storage, err := repository.StorageOf(&of.Spec)
	if err != nil {
		return config, "", &problem{string(repository.InvalidConfiguration), "spec: " + err.Error()}
	}
	config.Storage = storage
	// A repository that was usable where the spec says must still be there: to begin
	// it anew would hide that everything is lost.
	config.MustExist = of.Status.Location != "" && of.Status.Location == config.Location()
	if err := c.opts.Allowed.check(storage.Own()); err != nil {
		return config, "", err
	}
	version, err := readKeys(ctx, c.live, of, &config)
	return config, version, err
}

// passwordKey is the key that a repository's password is under.
func passwordKey(of *v1alpha1.BackupRepository) string {
	return cmp.Or(of.Spec.EncryptionSecretRef.Key, "password")
}

// readKeys adds to a configuration what Secrets hold, and returns the version of the one
// with the password.
func readKeys(ctx context.Context, reader client.Reader, of *v1alpha1.BackupRepository, config *repository.Config) (version string, err error) {
	key, field := passwordKey(of), "spec.encryptionSecretRef"
	secret, err := readSecret(ctx, reader, of, of.Spec.EncryptionSecretRef.Name, field)
	if err != nil {
		return "", err
	}
	if config.Password = string(secret.Data[key]); config.Password == "" {
		return "", incomplete(secret, key, field)
	}
	if next := string(secret.Data[key+v1alpha1.NextPasswordSuffix]); next != config.Password {
		config.NextPassword = next
	}
	version = secret.ResourceVersion
	var name string
	if name, field = config.Storage.Credentials(); name == "" {
		return version, nil
	}
	if secret, err = readSecret(ctx, reader, of, name, field); err != nil {
		return "", err
	}
	if missing := config.Storage.Take(secret.Data); missing != "" {
		return "", incomplete(secret, missing, field)
	}
	return version, nil
}

func readSecret(ctx context.Context, reader client.Reader, of *v1alpha1.BackupRepository, name, field string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: of.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, &problem{reasonSecretNotFound, fmt.Sprintf("there is no Secret %s in namespace %s: create it, or correct %s", name, of.Namespace, field)}
	case err != nil:
		return nil, fmt.Errorf("%s: reading Secret %s/%s: %w", field, of.Namespace, name, err)
	}
	return secret, nil
}

func incomplete(secret *corev1.Secret, key, field string) error {
	return &problem{reasonSecretIncomplete, fmt.Sprintf("Secret %s/%s has nothing under the key %s, which %s needs", secret.Namespace, secret.Name, key, field)}
}

// open opens a repository of this cluster to write to it.
func (c *core) open(ctx context.Context, namespace, name string) (*repository.Repository, error) {
	return c.opened(ctx, namespace, name, func(of *v1alpha1.BackupRepository, config repository.Config) (*repository.Repository, error) {
		if of.Spec.ReadOnly {
			return nil, &problem{reasonReadOnly, fmt.Sprintf("BackupRepository %s/%s is read-only", namespace, name)}
		}
		return repository.Open(ctx, config, repository.Owner{ClusterUID: c.clusterUID})
	})
}

// openReadOnly opens a repository of any cluster.
func (c *core) openReadOnly(ctx context.Context, namespace, name string) (*repository.Repository, error) {
	return c.opened(ctx, namespace, name, func(_ *v1alpha1.BackupRepository, config repository.Config) (*repository.Repository, error) {
		return repository.OpenReadOnly(ctx, config)
	})
}

// opened opens a repository as open does. Where its condition Ready says something else
// than what is found now, it is looked at soon.
func (c *core) opened(ctx context.Context, namespace, name string,
	open func(*v1alpha1.BackupRepository, repository.Config) (*repository.Repository, error),
) (*repository.Repository, error) {
	found := &v1alpha1.BackupRepository{}
	err := c.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, found)
	if apierrors.IsNotFound(err) {
		return nil, &problem{reasonRepository, fmt.Sprintf("there is no BackupRepository %s in namespace %s: create it, or correct the reference", name, namespace)}
	}
	if err != nil {
		return nil, err
	}
	config, _, err := c.access(ctx, found)
	var r *repository.Repository
	if err == nil {
		r, err = open(found, config)
	}
	if ctx.Err() == nil && meta.IsStatusConditionTrue(found.Status.Conditions, v1alpha1.ConditionReady) != (err == nil) {
		c.suspect(namespace, name)
	}
	return r, err
}

func closeRepository(ctx context.Context, r *repository.Repository) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_ = r.Close(ctx) // what was written is safe before
}
