package localstorage

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The credentials of an S3 server.
const (
	AccessKeyID     = "local-access-key"
	SecretAccessKey = "local-secret-key-for-tests"
	Region          = "us-east-1"
)

// S3Options of a server.
type S3Options struct {
	// Dir for the data: each bucket is a directory in it.
	Dir string
	// Certificate, which signs itself, and Key, files in PEM, make it serve TLS.
	Certificate, Key string
}

// S3 is a running S3 server.
type S3 struct {
	*Process
	// Endpoint is http://host:port, or https.
	Endpoint string
	options  S3Options
	readOnly bool
}

// StartS3 starts a server on a free port.
func StartS3(ctx context.Context, options S3Options) (*S3, error) {
	process, err := newProcess("versitygw", "FEDCTL_VERSITYGW")
	if err != nil {
		return nil, err
	}
	s := &S3{Process: process, Endpoint: "http://" + process.address, options: options}
	if options.Certificate != "" {
		s.Endpoint = "https://" + process.address
	}
	process.args = s.arguments(SecretAccessKey)
	return s, process.Restart(ctx)
}

func (s *S3) arguments(secretAccessKey string) []string {
	args := []string{"--port", s.address, "--access", AccessKeyID, "--secret", secretAccessKey, "--region", Region, "--quiet", "--health", "/health"}
	if s.options.Certificate != "" {
		args = append(args, "--cert", s.options.Certificate, "--key", s.options.Key)
	}
	if s.readOnly {
		args = append(args, "--readonly")
	}
	return append(args, "posix", s.options.Dir)
}

// SetReadOnly makes the server refuse whatever would change something, or take it again.
func (s *S3) SetReadOnly(ctx context.Context, readOnly bool) error {
	s.readOnly = readOnly
	return s.Rotate(ctx, SecretAccessKey)
}

// Rotate replaces the secret key: who comes with the old one is refused from now on.
func (s *S3) Rotate(ctx context.Context, secretAccessKey string) error {
	if err := s.Stop(); err != nil {
		return err
	}
	s.args = s.arguments(secretAccessKey)
	return s.Restart(ctx)
}

// CreateBucket makes a bucket.
func (s *S3) CreateBucket(ctx context.Context, name string) error {
	secure := s.options.Certificate != ""
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return err
	}
	if secure {
		certificate, err := os.ReadFile(s.options.Certificate)
		if err != nil {
			return err
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(certificate)
	}
	client, err := minio.New(s.address, &minio.Options{
		Creds: credentials.NewStaticV4(AccessKeyID, SecretAccessKey, ""), Secure: secure, Region: Region, Transport: transport,
	})
	if err != nil {
		return err
	}
	return client.MakeBucket(ctx, name, minio.MakeBucketOptions{Region: Region})
}

// Directory is where the objects of a bucket are.
func (s *S3) Directory(bucket string) string { return filepath.Join(s.options.Dir, bucket) }

// RemoveBucket removes a bucket and everything in it, behind the server's back.
func (s *S3) RemoveBucket(name string) error {
	return os.RemoveAll(filepath.Join(s.options.Dir, name))
}
