package support

import (
	"errors"
	"os"
	"path/filepath"
)

// file writes a file that only its owner may read.
func (d *dump) file(name string, content []byte) error {
	f := d.newFile(name)
	return f.end(f.write(content))
}

// newFile is a file that is there as soon as something is written to it.
func (d *dump) newFile(name string) *file { return &file{dump: d, name: name} }

// file is written piece by piece.
type file struct {
	dump *dump
	name string
	open *os.File
}

func (f *file) write(content []byte) error {
	if f.open == nil {
		path := filepath.Join(f.dump.dir, f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		open, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		f.open = open
		f.dump.files++
	}
	_, err := f.open.Write(content)
	return err
}

// Write implements io.Writer.
func (f *file) Write(content []byte) (int, error) { return len(content), f.write(content) }

// end closes the file, which may show that it is not written, and returns the first error.
func (f *file) end(err error) error {
	if f.open == nil {
		return err
	}
	return errors.Join(err, f.open.Close())
}
