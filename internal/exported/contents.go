package exported

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// ContentsFile is the file that says what is in the others. It is written last, and its name
// keeps kubectl from taking it for a manifest.
const ContentsFile = "CONTENTS"

const (
	kind = "FederationExport"
	// formatVersion is counted up when an earlier fedctl would misread an export.
	formatVersion = 1
)

// Contents is what an export says of itself.
type Contents struct {
	Kind          string `json:"kind"`
	FormatVersion int    `json:"formatVersion"`
	// Fedctl is the version that has written it, and Exported when.
	Fedctl   string    `json:"fedctl"`
	Exported time.Time `json:"exported"`
	// Host is the UID of the host's namespace kube-system, and Namespace the control plane's.
	Host      string `json:"host"`
	Namespace string `json:"namespace"`
	// Secrets says what has become of federated Secrets: Included, Omitted, or None.
	Secrets string `json:"federatedSecrets"`
	// Members are the clusters that had joined.
	Members []Member `json:"members"`
	// Targets are the types that the host knows by a definition that is not Kubernetes' own
	// and not in the export: whoever has installed them there does so on the new host.
	Targets []string `json:"customTypes,omitempty"`
	// Files are in the order in which they are imported.
	Files []File `json:"files"`
	// Objects is how many there are in all.
	Objects int `json:"objects"`
	// Notes say what was left out, or is another than on the host.
	Notes []string `json:"notes,omitempty"`
}

// What has become of federated Secrets.
const (
	Included = "included"
	Omitted  = "omitted"
	None     = "none"
)

// Member is a cluster that had joined.
type Member struct {
	Name     string `json:"name"`
	Endpoint string `json:"endpoint"`
	// NamespaceRights says that the controller could write in federated namespaces alone, and
	// FleetAccess that users of the host were let in.
	NamespaceRights bool `json:"namespaceRights,omitempty"`
	FleetAccess     bool `json:"fleetAccess,omitempty"`
}

// File is one of manifests.
type File struct {
	Name    string `json:"name"`
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
}

// New returns the contents of an export that holds nothing yet.
func New(version string, now time.Time) *Contents {
	return &Contents{Kind: kind, FormatVersion: formatVersion, Fedctl: version, Exported: now.UTC().Truncate(time.Second), Secrets: None}
}

// Add notes a file.
func (c *Contents) Add(f File) {
	c.Files = append(c.Files, f)
	c.Objects += f.Objects
}

// Read reads what an export says of itself. The error says what the folder is instead.
func Read(dir string) (*Contents, error) {
	path := filepath.Join(dir, ContentsFile)
	file, err := openFile(dir, ContentsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no file %s: it is not an export, or one that did not end", dir, ContentsFile)
	} else if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it is read
	raw, err := io.ReadAll(io.LimitReader(file, mostContents+1))
	switch {
	case err != nil:
		return nil, err
	case len(raw) > mostContents:
		return nil, fmt.Errorf("%s is larger than what fedctl export writes", path)
	}
	c := &Contents{}
	if err := json.Unmarshal(raw, c); err != nil {
		return nil, fmt.Errorf("%s is not whole: %w", path, err)
	}
	if c.Kind == kind && c.FormatVersion != formatVersion {
		return nil, fmt.Errorf("%s was exported in format %d, by fedctl %s; this is fedctl with format %d", dir, c.FormatVersion, errtext.Bounded(c.Fedctl, longestName), formatVersion)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s is not what fedctl export writes: %w", path, err)
	}
	c.bound()
	return c, nil
}

// Verify says in what the files of a folder differ from what the contents say of them. Other
// files are none of its business.
func (c *Contents) Verify(dir string) error {
	var faults []error
	for i := range c.Files {
		if err := c.Files[i].verify(dir); err != nil {
			faults = append(faults, err)
		}
	}
	if most := 20; len(faults) > most {
		faults = append(faults[:most], errors.New("and more"))
	}
	if len(faults) > 0 {
		return fmt.Errorf("the export is not as it was written, and nothing was imported: %w", errors.Join(faults...))
	}
	return nil
}

func (f *File) verify(dir string) error {
	file, err := openFile(dir, f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is missing", f.Name)
	} else if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it is read
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(file, f.Bytes+1))
	switch {
	case err != nil:
		return err
	case n > f.Bytes:
		return fmt.Errorf("%s has more than %d bytes", f.Name, f.Bytes)
	case n < f.Bytes:
		return fmt.Errorf("%s has %d bytes instead of %d", f.Name, n, f.Bytes)
	case hex.EncodeToString(sum.Sum(nil)) != f.SHA256:
		return fmt.Errorf("%s has another content than was written", f.Name)
	}
	return nil
}
