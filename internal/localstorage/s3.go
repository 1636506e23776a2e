// Package locals3 runs a real S3 server, versitygw, as a process with its data in a
// directory, for the suites and the benchmark. Nothing else may import it.
package locals3

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The credentials of the server.
const (
	AccessKeyID     = "local-access-key"
	SecretAccessKey = "local-secret-key-for-tests"
	Region          = "us-east-1"
)

// Options of a server.
type Options struct {
	// Dir for the data: each bucket is a directory in it.
	Dir string
	// Certificate, which signs itself, and Key, files in PEM, make it serve TLS.
	Certificate, Key string
}

// Server is a running S3 server.
type Server struct {
	// Endpoint is http://host:port, or https.
	Endpoint string
	address  string
	options  Options
	binary   string
	mu       sync.Mutex
	command  *exec.Cmd
	output   *bytes.Buffer
}

// ready is how long a server may take to answer on a busy machine.
const ready = time.Minute

// Start starts a server on a free port, which dies with this process.
func Start(ctx context.Context, options Options) (*Server, error) {
	binary, err := Binary("versitygw", "FEDCTL_VERSITYGW")
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	s := &Server{Endpoint: "http://" + address, address: address, options: options, binary: binary}
	if options.Certificate != "" {
		s.Endpoint = "https://" + address
	}
	return s, s.Restart(ctx)
}

// Binary finds a program: what the environment variable names, or bin/<name> of the
// module.
func Binary(name, variable string) (string, error) {
	if set := os.Getenv(variable); set != "" {
		return set, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		candidate := filepath.Join(dir, "bin", name)
		if info, err := os.Stat(candidate); err == nil && !info.IsDir() {
			return candidate, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("bin/%s is not built: run make bin/%s, or set %s", name, name, variable)
		}
	}
}

// Restart starts the server again on the same port, after Stop.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	args := []string{"--port", s.address, "--access", AccessKeyID, "--secret", SecretAccessKey, "--region", Region, "--quiet", "--health", "/health"}
	if s.options.Certificate != "" {
		args = append(args, "--cert", s.options.Certificate, "--key", s.options.Key)
	}
	args = append(args, "posix", s.options.Dir)
	s.output = &bytes.Buffer{}
	s.command = exec.Command(s.binary, args...) //nolint:noctx // it outlives the context of its start
	s.command.Stdout, s.command.Stderr = s.output, s.output
	s.command.SysProcAttr = dieWithParent()
	// The signal comes when the thread ends that started the process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := s.command.Start(); err != nil {
		return err
	}
	deadline := time.Now().Add(ready)
	for {
		connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.address)
		if err == nil {
			return connection.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.Join(fmt.Errorf("the S3 server does not answer: %w: %s", err, s.output), s.command.Process.Kill())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Stop ends the server. It is no error when it has ended.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.command == nil {
		return nil
	}
	err := s.command.Process.Kill()
	_ = s.command.Wait()
	s.command = nil
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Hang makes the server accept connections and answer nothing, until Continue.
func (s *Server) Hang() error { return s.signal(syscall.SIGSTOP) }

// Continue ends Hang.
func (s *Server) Continue() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal os.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.command == nil {
		return errors.New("the S3 server does not run")
	}
	return s.command.Process.Signal(signal)
}

// CreateBucket makes a bucket.
func (s *Server) CreateBucket(ctx context.Context, name string) error {
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

// RemoveBucket removes a bucket and everything in it, behind the server's back.
func (s *Server) RemoveBucket(name string) error {
	return os.RemoveAll(filepath.Join(s.options.Dir, name))
}
