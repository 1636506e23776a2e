package exported

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// only is what the owner of an export alone may read: templates may hold secrets.
const (
	onlyDir  = 0o700
	onlyFile = 0o600
)

// Folder is an export that is being written, under another name until it is whole.
type Folder struct {
	dir, partial string
}

// partialSuffix marks the folder of an export that has not ended.
const partialSuffix = ".partial"

// Create begins an export. dir must not be there yet, nor one that did not end.
func Create(dir string) (*Folder, error) {
	dir = filepath.Clean(dir)
	f := &Folder{dir: dir, partial: dir + partialSuffix}
	if err := f.free(); err != nil {
		return nil, err
	}
	err := os.Mkdir(f.partial, onlyDir)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s is there: another export is being written, or one has not ended; remove it then", f.partial)
	}
	return f, err
}

// free says whether the name is: an empty folder may be there, such as one that mktemp makes.
func (f *Folder) free() error {
	if _, err := os.Stat(f.dir); IsArchive(f.dir) && err == nil {
		return fmt.Errorf("%s is there: name a new file", f.dir)
	}
	entries, err := os.ReadDir(f.dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: name a new folder", f.dir)
	}
	return nil
}

// Abandon removes what has been written.
func (f *Folder) Abandon() error { return os.RemoveAll(f.partial) }

// Finish writes the contents, and gives the folder its name: from then on it is whole.
func (f *Folder) Finish(c *Contents) error {
	raw, err := json.MarshalIndent(c, "", "    ")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(f.partial, ContentsFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, onlyFile)
	if err != nil {
		return err
	}
	_, err = file.Write(append(raw, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if IsArchive(f.dir) {
		return f.pack(c)
	}
	if err := os.Remove(f.dir); err != nil && !errors.Is(err, os.ErrNotExist) { // an empty one
		return err
	}
	return os.Rename(f.partial, f.dir)
}

// Sheet is a file of manifests that is being written.
type Sheet struct {
	File

	out  *os.File
	buf  *bufio.Writer
	sum  hash.Hash
	path string
}

// Sheet begins a file; one of the same name is written anew.
func (f *Folder) Sheet(name string) (*Sheet, error) {
	path := filepath.Join(f.partial, name)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, onlyFile)
	if err != nil {
		return nil, err
	}
	return &Sheet{File: File{Name: name}, out: out, buf: bufio.NewWriter(out), sum: sha256.New(), path: path}, nil
}

// Put adds an object.
func (s *Sheet) Put(u *unstructured.Unstructured) error {
	text, err := yaml.Marshal(u.Object)
	if err != nil {
		return err
	}
	text = append([]byte("---\n"), text...)
	s.Objects++
	s.Bytes += int64(len(text))
	_, _ = s.sum.Write(text) // a hash takes everything
	_, err = s.buf.Write(text)
	return err
}

// Close ends the file, and removes it where it holds nothing.
func (s *Sheet) Close() error {
	s.SHA256 = hex.EncodeToString(s.sum.Sum(nil))
	err := errors.Join(s.buf.Flush(), s.out.Sync(), s.out.Close())
	if err == nil && s.Objects == 0 {
		return os.Remove(s.path)
	}
	return err
}

// Each calls visit with the objects of a file, one by one.
func (f *File) Each(dir string, visit func(*unstructured.Unstructured) error) error {
	file, err := openFile(dir, f.Name)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it is read
	within := &bounded{from: io.LimitReader(file, f.Bytes)}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(within))
	seen := 0
	for {
		within.left = mostDocument
		raw, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("%s, object %d: %w", f.Name, seen+1, err)
		}
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		if seen == f.Objects {
			return fmt.Errorf("%s holds more than %d objects", f.Name, f.Objects)
		}
		u, err := parse(raw)
		if err != nil {
			return fmt.Errorf("%s, object %d: %w", f.Name, seen+1, err)
		}
		seen++
		if err := visit(u); err != nil {
			return err
		}
	}
	if seen != f.Objects {
		return fmt.Errorf("%s holds %d objects instead of %d", f.Name, seen, f.Objects)
	}
	return nil
}

func parse(raw []byte) (*unstructured.Unstructured, error) {
	text, err := utilyaml.ToJSON(raw)
	if err != nil {
		return nil, errors.New(errtext.Bounded(err.Error(), errtext.Cluster)) // it may tell what is there
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(text); err != nil {
		return nil, errors.New(errtext.Bounded(err.Error(), errtext.Cluster))
	}
	return u, checkNames(u)
}
