package exported

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// An export is a file that somebody hands on: it is read as what it says of itself, and never
// more than that is read, kept or printed.
const (
	mostContents = 16 << 20 // bytes of CONTENTS
	mostFiles    = 10_000
	mostObjects  = 5_000_000
	// mostDocument is how many bytes of text one object may have, of which API servers take
	// three megabytes at most.
	mostDocument = 16 << 20
	mostNotes    = 1_000
	longestName  = 253
)

// named is a name that a file tells, for messages.
func named(name string) string { return fmt.Sprintf("%q", errtext.Bounded(name, longestName)) }

// openFile opens a file of a folder: none that a link leads to, and nothing that is no file.
func openFile(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing is written
	info, err := root.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", filepath.Join(dir, name))
	}
	return root.Open(name)
}

// check says what no export says of itself.
func (c *Contents) check() error {
	if c.Kind != kind || len(validation.IsDNS1123Label(c.Namespace)) > 0 {
		return errors.New("it names no export, or no namespace of a control plane")
	}
	if len(c.Files) > mostFiles || c.Objects > mostObjects {
		return fmt.Errorf("it speaks of %d objects in %d files, of %d and %d at most", c.Objects, len(c.Files), mostObjects, mostFiles)
	}
	for _, m := range c.Members {
		if len(validation.IsDNS1123Subdomain(m.Name)) > 0 {
			return fmt.Errorf("%s is not the name of a member", named(m.Name))
		}
	}
	objects, seen := 0, map[string]bool{}
	for _, f := range c.Files {
		switch {
		case f.Name != filepath.Base(f.Name) || strings.HasPrefix(f.Name, ".") || len(f.Name) > longestName || strings.ContainsFunc(f.Name, notInFileNames):
			return fmt.Errorf("it names the file %s, which is not in the folder", named(f.Name))
		case seen[f.Name]:
			return fmt.Errorf("it names the file %s twice", f.Name)
		case f.Objects < 0 || f.Objects > mostObjects || f.Bytes < 0:
			return fmt.Errorf("it says of %s that it has %d bytes with %d objects", f.Name, f.Bytes, f.Objects)
		}
		seen[f.Name] = true
		objects += f.Objects
	}
	if objects != c.Objects {
		return fmt.Errorf("it speaks of %d objects, and its files of %d", c.Objects, objects)
	}
	return nil
}

// notInFileNames are what names of types do not have, of which files have theirs.
func notInFileNames(r rune) bool {
	return r >= unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(".-_", r)
}

// bound shortens what is only told.
func (c *Contents) bound() {
	c.Fedctl = errtext.Bounded(c.Fedctl, longestName)
	c.Notes = boundAll(c.Notes, errtext.Cluster)
	c.Targets = boundAll(c.Targets, longestName)
}

func boundAll(texts []string, most int) []string {
	if more := len(texts) - mostNotes; more > 0 {
		texts = append(texts[:mostNotes:mostNotes], fmt.Sprintf("and %d more", more))
	}
	for i := range texts {
		texts[i] = errtext.Bounded(texts[i], most)
	}
	return texts
}

// bounded gives not more than is left of a document.
type bounded struct {
	from io.Reader
	left int
}

var errTooLarge = fmt.Errorf("an object has more than %d MiB", mostDocument>>20)

func (b *bounded) Read(into []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.from.Read(into[:min(len(into), b.left)])
	b.left -= n
	return n, err
}

// checkNames refuses an object whose names are none: they are told, and become paths of requests.
func checkNames(u *unstructured.Unstructured) error {
	name, namespace, gvk := u.GetName(), u.GetNamespace(), u.GroupVersionKind()
	switch {
	case len(validation.IsDNS1035Label(strings.ToLower(gvk.Kind))) > 0 || len(validation.IsDNS1035Label(gvk.Version)) > 0 ||
		gvk.Group != "" && len(validation.IsDNS1123Subdomain(gvk.Group)) > 0:
		return fmt.Errorf("%s of %s is not a kind", named(u.GetKind()), named(u.GetAPIVersion()))
	case name == "":
		return fmt.Errorf("a %s has no name", gvk.Kind)
	case len(name) > longestName || errtext.Bounded(name, longestName) != name || len(content.IsPathSegmentName(name)) > 0:
		return fmt.Errorf("%s is not a name", named(name))
	case namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0:
		return fmt.Errorf("%s is not a namespace", named(namespace))
	}
	return nil
}
