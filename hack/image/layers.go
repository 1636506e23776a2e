package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// certificatesFile is where Go looks for certificates first.
const certificatesFile = "etc/ssl/certs/ca-certificates.crt"

// file is a file of a layer: its path in the image, and its content.
type file struct {
	path    string
	mode    int64
	content []byte
}

// certificates are those of public authorities, for servers such as object stores:
// Mozilla's, as Go's own module has them, so that they are the same on every machine.
// Those that Mozilla trusts with a condition are left out, since a file cannot say it.
func certificates() file {
	var content bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&content, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes everything
		}
	}
	return file{certificatesFile, 0o644, content.Bytes()}
}

// programFiles reads the programs that have been built.
func programFiles(folder string) ([]file, error) {
	var files []file
	for _, program := range programs {
		content, err := os.ReadFile(filepath.Join(folder, program)) // #nosec G304 -- what was built
		if err != nil {
			return nil, err
		}
		files = append(files, file{program, 0o755, content})
	}
	return files, nil
}

// layer packs files in their order. Nothing of where and when they were made is in it:
// they belong to root and have one time.
func layer(files []file, created time.Time) (v1.Layer, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	folders := map[string]bool{".": true}
	for _, f := range files {
		if err := addFolders(w, path.Dir(f.path), folders, created); err != nil {
			return nil, err
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.path, Mode: f.mode, Size: int64(len(f.content)), ModTime: created, Format: tar.FormatPAX}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	})
}

// addFolders adds a folder and those it is in, each once.
func addFolders(w *tar.Writer, folder string, added map[string]bool, created time.Time) error {
	if added[folder] {
		return nil
	}
	if err := addFolders(w, path.Dir(folder), added, created); err != nil {
		return err
	}
	added[folder] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, ModTime: created, Format: tar.FormatPAX})
}
