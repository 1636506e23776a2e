package repository

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// ManifestVersion is the version of the layout that this package writes. It reads
// this one and older ones.
const ManifestVersion = 1

const (
	manifestName = "manifest.json"
	objectsDir   = "objects"
	// maxManifestBytes is far more than a manifest ever has.
	maxManifestBytes = 64 << 20
)

// Manifest says what a snapshot holds and what it does not.
type Manifest struct {
	Version int         `json:"version"`
	Cluster ClusterInfo `json:"cluster"`
	Source  Source      `json:"source"`
	// StartTime is when reading the cluster began.
	StartTime time.Time `json:"startTime"`
	// Resources in the order of their names.
	Resources []ResourceFile `json:"resources"`
	// Partial says that something is missing that should be there; Warnings say what.
	Partial bool `json:"partial,omitempty"`
	// Warnings tell what went wrong, all of them.
	Warnings []v1alpha1.ResourceWarning `json:"warnings,omitempty"`
	// LeftOut tells what was not saved on purpose.
	LeftOut []LeftOut `json:"leftOut,omitempty"`
	// VolumeSnapshots that were made for this run.
	VolumeSnapshots []v1alpha1.VolumeSnapshotRecord `json:"volumeSnapshots,omitempty"`
}

// ClusterInfo is the cluster that was saved.
type ClusterInfo struct {
	UID               string `json:"uid"`
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
}

// Source says which run a snapshot is of.
type Source struct {
	// Namespace and Backup are the Backup's namespace and name.
	Namespace string `json:"namespace"`
	Backup    string `json:"backup"`
	// Run is the name of the BackupRun.
	Run string `json:"run"`
	// ScheduledFor is the time of the schedule that the run was for, if there was one.
	ScheduledFor *time.Time `json:"scheduledFor,omitempty"`
}

// Resource is a kind of objects.
type Resource struct {
	Group string `json:"group,omitempty"`
	// Version that the objects were read in.
	Version string `json:"version"`
	// Resource is the plural, such as deployments.
	Resource   string `json:"resource"`
	Kind       string `json:"kind"`
	Namespaced bool   `json:"namespaced,omitempty"`
}

// Name is <plural>[.<group>].
func (r Resource) Name() string {
	if r.Group == "" {
		return r.Resource
	}
	return r.Resource + "." + r.Group
}

// ResourceFile is a resource with the objects of it that a snapshot holds.
type ResourceFile struct {
	Resource
	// Objects and Bytes count what is in the file; there is none when there are none.
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
	// Error says why objects are missing, if they are.
	Error string `json:"error,omitempty"`
}

// LeftOut is a number of objects that were not saved, for one reason.
type LeftOut struct {
	// Resource is <plural>[.<group>].
	Resource string `json:"resource"`
	Reason   string `json:"reason"`
	// Objects is how many, 0 when they were not even counted.
	Objects int64 `json:"objects,omitempty"`
}

// Totals counts objects and bytes over all resources.
func (m *Manifest) Totals() (objects, bytes int64) {
	for i := range m.Resources {
		objects += m.Resources[i].Objects
		bytes += m.Resources[i].Bytes
	}
	return objects, bytes
}

func (r Resource) fileName() string { return r.Name() + ".json" }

// parseManifest reads a manifest. What it accepts is safe to use: names are file
// names, no resource is there twice, numbers are not negative.
func parseManifest(data []byte) (*Manifest, error) {
	var m Manifest
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&m); err != nil {
		return nil, fmt.Errorf("%s is not valid JSON: %w", manifestName, err)
	}
	if m.Version < 1 || m.Version > ManifestVersion {
		return nil, fmt.Errorf("%s has version %d, this fedctl reads up to %d: use a newer one", manifestName, m.Version, ManifestVersion)
	}
	seen := map[string]bool{}
	for i := range m.Resources {
		file := &m.Resources[i]
		name := file.Name()
		if file.Resource.Resource == "" || file.Version == "" || file.Kind == "" ||
			strings.ContainsAny(name, "/\\\x00") || path.Clean(name) != name || strings.HasPrefix(name, ".") {
			return nil, fmt.Errorf("%s: the resource %q is not a valid one", manifestName, name)
		}
		if file.Objects < 0 || file.Bytes < 0 {
			return nil, fmt.Errorf("%s: the resource %s has a negative size", manifestName, name)
		}
		if seen[name] {
			return nil, fmt.Errorf("%s: the resource %s is there twice", manifestName, name)
		}
		seen[name] = true
	}
	return &m, nil
}
