package executor

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// access says how to open what a BackupRepository names; it reads the Secrets that
// hold the password and the credentials.
func (c *core) access(ctx context.Context, of *v1alpha1.BackupRepository) (repository.Config, error) {
	config := repository.Config{Network: c.opts.Network, MayWrite: c.mayWrite, CacheDir: c.opts.CacheDir, Timeout: c.opts.StorageTimeout}
	storage, err := repository.StorageOf(&of.Spec)
	if err != nil {
		return config, &problem{string(repository.InvalidConfiguration), "spec: " + err.Error()}
	}
	config.Storage = storage
	// A repository that was usable where the spec says must still be there: to begin
	// it anew would hide that everything is lost.
	config.MustExist = of.Status.Location != "" && of.Status.Location == config.Location()
	if err := c.opts.Allowed.check(storage.Own()); err != nil {
		return config, err
	}
	return config, readKeys(ctx, c.live, of, &config)
}

// readKeys adds to a configuration what Secrets hold.
func readKeys(ctx context.Context, reader client.Reader, of *v1alpha1.BackupRepository, config *repository.Config) error {
	key := of.Spec.EncryptionSecretRef.Key
	if key == "" {
		key = "password"
	}
	field := "spec.encryptionSecretRef"
	secret, err := readSecret(ctx, reader, of, of.Spec.EncryptionSecretRef.Name, field)
	if err != nil {
		return err
	}
	if config.Password = string(secret.Data[key]); config.Password == "" {
		return incomplete(secret, key, field)
	}
	var name string
	if name, field = config.Storage.Credentials(); name == "" {
		return nil
	}
	if secret, err = readSecret(ctx, reader, of, name, field); err != nil {
		return err
	}
	if missing := config.Storage.Take(secret.Data); missing != "" {
		return incomplete(secret, missing, field)
	}
	return nil
}

func readSecret(ctx context.Context, reader client.Reader, of *v1alpha1.BackupRepository, name, field string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := reader.Get(ctx, client.ObjectKey{Namespace: of.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, &problem{"SecretNotFound", fmt.Sprintf("there is no Secret %s in namespace %s: create it, or correct %s", name, of.Namespace, field)}
	case err != nil:
		return nil, fmt.Errorf("%s: reading Secret %s/%s: %w", field, of.Namespace, name, err)
	}
	return secret, nil
}

func incomplete(secret *corev1.Secret, key, field string) error {
	return &problem{"SecretIncomplete", fmt.Sprintf("Secret %s/%s has nothing under the key %s, which %s needs", secret.Namespace, secret.Name, key, field)}
}

// open opens a repository of this cluster to write to it.
func (c *core) open(ctx context.Context, namespace, name string) (*repository.Repository, error) {
	config, spec, err := c.configOf(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if spec.ReadOnly {
		return nil, &problem{reasonReadOnly, fmt.Sprintf("BackupRepository %s/%s is read-only", namespace, name)}
	}
	return repository.Open(ctx, config, repository.Owner{ClusterUID: c.clusterUID})
}

// openReadOnly opens a repository of any cluster.
func (c *core) openReadOnly(ctx context.Context, namespace, name string) (*repository.Repository, error) {
	config, _, err := c.configOf(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return repository.OpenReadOnly(ctx, config)
}

func (c *core) configOf(ctx context.Context, namespace, name string) (repository.Config, *v1alpha1.BackupRepositorySpec, error) {
	found := &v1alpha1.BackupRepository{}
	err := c.live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, found)
	if apierrors.IsNotFound(err) {
		return repository.Config{}, nil, &problem{reasonRepository, fmt.Sprintf("there is no BackupRepository %s in namespace %s: create it, or correct the reference", name, namespace)}
	}
	if err != nil {
		return repository.Config{}, nil, err
	}
	config, err := c.access(ctx, found)
	return config, &found.Spec, err
}

func closeRepository(ctx context.Context, r *repository.Repository) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	_ = r.Close(ctx) // what was written is safe before
}
