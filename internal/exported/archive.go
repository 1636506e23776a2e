package exported

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// An export may also be one file: its folder, as tar and gzip make an archive of it.

// IsArchive says whether an export of this name is to be one file.
func IsArchive(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// pack makes one file of the folder that is whole, and gives it its name.
func (f *Folder) pack(c *Contents) (err error) {
	path := f.partial + ".tgz"
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, onlyFile)
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(out)
	archive := tar.NewWriter(packed)
	names := []string{ContentsFile}
	for _, file := range c.Files {
		names = append(names, file.Name)
	}
	for _, name := range names {
		if err = add(archive, f.partial, name); err != nil {
			break
		}
	}
	if err = errors.Join(err, archive.Close(), packed.Close(), out.Sync(), out.Close()); err == nil {
		err = os.Rename(path, f.dir)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return f.Abandon() // what it was made of
}

func add(archive *tar.Writer, dir, name string) error {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it is read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: onlyFile, Size: info.Size(), ModTime: info.ModTime(), Typeflag: tar.TypeReg}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

// Open returns the folder of an export, for one that is a file a temporary one. done removes
// what Open has made.
func Open(path string) (dir string, done func() error, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	if info.IsDir() {
		return path, func() error { return nil }, nil
	}
	dir, err = os.MkdirTemp("", "fedctl-import-")
	if err != nil {
		return "", nil, err
	}
	done = func() error { return os.RemoveAll(dir) }
	if err := unpack(path, dir); err != nil {
		return "", nil, errors.Join(fmt.Errorf("%s is not an export, or not whole: %w", path, err), done())
	}
	return dir, done, nil
}

func unpack(path, dir string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it is read
	packed, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	archive := tar.NewReader(packed)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		name := filepath.Base(filepath.Clean(header.Name)) // one that tar has made has the folder before it
		if header.Typeflag != tar.TypeReg {
			continue
		}
		out, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, onlyFile)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, archive) //nolint:gosec // it is as large as its owner has made it
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
}
