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
	config := placeOf(of)
	// A repository that was usable where the spec says must still be there: to begin
	// it anew would hide that everything is lost.
	config.MustExist = of.Status.Location != "" && of.Status.Location == config.Location()
	config.CacheDir, config.Timeout = c.opts.CacheDir, c.opts.StorageTimeout
	if err := c.opts.Allowed.check(&of.Spec); err != nil {
		return config, err
	}
	err := readKeys(ctx, c.live, of, &config)
	return config, err
}

// readKeys adds to a configuration what Secrets hold.
func readKeys(ctx context.Context, reader client.Reader, of *v1alpha1.BackupRepository, config *repository.Config) error {
	key := of.Spec.EncryptionSecretRef.Key
	if key == "" {
		key = "password"
	}
	secret, err := readSecret(ctx, reader, of, of.Spec.EncryptionSecretRef.Name, "spec.encryptionSecretRef")
	if err != nil {
		return err
	}
	if config.Password, err = valueOf(secret, key, "spec.encryptionSecretRef"); err != nil {
		return err
	}
	switch {
	case of.Spec.S3 != nil && of.Spec.S3.CredentialsSecretRef != nil:
		err = readS3Credentials(ctx, reader, of, config.S3)
	case of.Spec.GCS != nil && of.Spec.GCS.CredentialsSecretRef != nil:
		err = readGCSCredentials(ctx, reader, of, config.GCS)
	case of.Spec.Azure != nil:
		err = readAzureCredentials(ctx, reader, of, config.Azure)
	}
	return err
}

func readGCSCredentials(ctx context.Context, reader client.Reader, of *v1alpha1.BackupRepository, gcs *repository.GCS) error {
	const field = "spec.gcs.credentialsSecretRef"
	secret, err := readSecret(ctx, reader, of, of.Spec.GCS.CredentialsSecretRef.Name, field)
	if err != nil {
		return err
	}
	key, err := valueOf(secret, "serviceAccountKey", field)
	gcs.ServiceAccountKey = []byte(key)
	return err
}

func readAzureCredentials(ctx context.Context, reader client.Reader, of *v1alpha1.BackupRepository, azure *repository.Azure) error {
	const field = "spec.azure.credentialsSecretRef"
	secret, err := readSecret(ctx, reader, of, of.Spec.Azure.CredentialsSecretRef.Name, field)
	if err != nil {
		return err
	}
	if azure.SASToken = string(secret.Data["sasToken"]); azure.SASToken != "" && len(secret.Data["storageKey"]) == 0 {
		return nil
	}
	azure.SASToken = ""
	azure.StorageKey, err = valueOf(secret, "storageKey", field)
	return err
}

func readS3Credentials(ctx context.Context, reader client.Reader, of *v1alpha1.BackupRepository, s3 *repository.S3) error {
	const field = "spec.s3.credentialsSecretRef"
	secret, err := readSecret(ctx, reader, of, of.Spec.S3.CredentialsSecretRef.Name, field)
	if err != nil {
		return err
	}
	if s3.AccessKeyID, err = valueOf(secret, "accessKeyID", field); err != nil {
		return err
	}
	s3.SessionToken = string(secret.Data["sessionToken"])
	s3.SecretAccessKey, err = valueOf(secret, "secretAccessKey", field)
	return err
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

func valueOf(secret *corev1.Secret, key, field string) (string, error) {
	if value := string(secret.Data[key]); value != "" {
		return value, nil
	}
	return "", &problem{"SecretIncomplete", fmt.Sprintf("Secret %s/%s has nothing under the key %s, which %s needs", secret.Namespace, secret.Name, key, field)}
}

// placeOf is the part of a configuration that the spec alone says.
func placeOf(of *v1alpha1.BackupRepository) repository.Config {
	var config repository.Config
	if fs := of.Spec.Filesystem; fs != nil {
		config.Filesystem = &repository.Filesystem{Path: fs.Path}
	}
	if s3 := of.Spec.S3; s3 != nil {
		config.S3 = &repository.S3{Endpoint: s3.Endpoint, Bucket: s3.Bucket, Region: s3.Region, Prefix: s3.Prefix, CABundle: s3.CABundle}
	}
	if gcs := of.Spec.GCS; gcs != nil {
		config.GCS = &repository.GCS{Bucket: gcs.Bucket, Prefix: gcs.Prefix}
	}
	if azure := of.Spec.Azure; azure != nil {
		config.Azure = &repository.Azure{StorageAccount: azure.StorageAccount, Container: azure.Container, Prefix: azure.Prefix, Endpoint: azure.Endpoint}
	}
	return config
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
