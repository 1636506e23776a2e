package federate

import "fmt"

// ClusterVersion is an item of clusterVersions in KubeFed's PropagatedVersion.
type ClusterVersion struct {
	ClusterName string `json:"clusterName"`
	// Version is what ObjectVersion returns.
	Version string `json:"version"`
}

// VersionRecord is the status of KubeFed's PropagatedVersion.
type VersionRecord struct {
	TemplateVersion  string `json:"templateVersion"`
	OverridesVersion string `json:"overridesVersion"`
	// ClusterVersions is sorted by name when we wrote it.
	ClusterVersions []ClusterVersion `json:"clusterVersions"`
}

// ObjectVersion returns the version of a member's object as KubeFed records it:
// "gen:" and the generation, or for objects that have none "rv:" and the resource version.
func ObjectVersion(generation int64, resourceVersion string) string {
	if generation != 0 {
		return fmt.Sprintf("gen:%d", generation)
	}
	return "rv:" + resourceVersion
}
