package export

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

func TestNamesOfExports(t *testing.T) {
	for path, good := range map[string]bool{
		"federation": true, "a/federation-1.2": true, "federation.tar.gz": true, "federation.tgz": true,
		"": false, "federation.tar": false, "federation.zip": false, "federation.gz": false,
	} {
		if err := (&Options{Path: path}).Validate(); (err == nil) != good {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// full is a standard output on a device that has no room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnExportThatCannotBePrintedIsSaidToBeWhole(t *testing.T) {
	for _, format := range []string{"", "json"} {
		path := filepath.Join(t.TempDir(), "federation")
		o := &Options{factory: cmdutil.NewFactory(genericiooptions.IOStreams{Out: full{}, ErrOut: &bytes.Buffer{}}), Path: path}
		o.Output.Format = format
		err := o.write(t.Context(), gatheringOf(t, federation(t)...))
		if err == nil || !strings.Contains(err.Error(), path+" is written and whole, and only what it holds could not be printed: no space left on device") {
			t.Errorf("-o %q: %v", format, err)
		}
		if _, err := os.Stat(filepath.Join(path, "CONTENTS")); err != nil {
			t.Error(err)
		}
	}
}
