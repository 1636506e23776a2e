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

// packed is the archive in the folder that it is made of, which is its owner's alone.
const packed = ".packed"

// pack makes one file of the folder that is whole, and gives it its name.
func (f *Folder) pack(c *Contents) (err error) {
	path := filepath.Join(f.partial, packed)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, onlyFile)
	if err != nil {
		return err
	}
	zipped := gzip.NewWriter(out)
	archive := tar.NewWriter(zipped)
	names := []string{ContentsFile}
	for _, file := range c.Files {
		names = append(names, file.Name)
	}
	for _, name := range names {
		if err = add(archive, f.partial, name); err != nil {
			break
		}
	}
	if err := errors.Join(err, archive.Close(), zipped.Close(), out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := moveTo(path, f.dir); err != nil {
		return err
	}
	return f.Abandon() // what it was made of
}

// moveTo gives a file its name, and takes that from no other which has come to be there.
func moveTo(path, name string) error {
	err := os.Link(path, name)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s has come to be there meanwhile", name)
	} else if err != nil { // not every file system has links
		return os.Rename(path, name)
	}
	return nil // the other name goes with the folder
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

// What an archive may unpack to: text such as that of manifests is seldom packed to less than
// a hundredth.
const (
	alwaysUnpacked = 1 << 30
	mostPacked     = 100
)

func unpack(path, dir string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it is read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	zipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	return unpackAll(tar.NewReader(zipped), dir, max(alwaysUnpacked, mostPacked*info.Size()))
}

// unpackAll unpacks files alone, and not more than so many bytes.
func unpackAll(archive *tar.Reader, dir string, most int64) error {
	for files := 0; ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if header.Typeflag == tar.TypeDir || header.Typeflag == tar.TypeXGlobalHeader { // tar itself writes these
			continue
		}
		name := filepath.Base(filepath.Clean(header.Name)) // one that tar has made has the folder before it
		if header.Typeflag != tar.TypeReg {
			return fmt.Errorf("it holds %s, which is not a file", named(name))
		}
		if files++; files > mostFiles+1 {
			return fmt.Errorf("it holds more than %d files", mostFiles)
		}
		if most -= header.Size; most < 0 {
			return errors.New("it unpacks to far more than manifests do")
		}
		if err := unpackOne(archive, dir, name); err != nil {
			return err
		}
	}
}

func unpackOne(archive *tar.Reader, dir, name string) error {
	out, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, onlyFile)
	switch {
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("it holds %s twice", named(name))
	case err != nil:
		return fmt.Errorf("%s: %w", named(name), errors.Unwrap(err))
	}
	_, err = io.Copy(out, archive)
	return errors.Join(err, out.Close())
}
