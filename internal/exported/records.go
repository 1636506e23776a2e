package exported

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// A Job that has ended and is gone from its cluster would be made again by a host that does
// not know that it was there, and would run again. So of what ends by itself, or is consumed,
// goes with it what the status says of it. Of everything else a host finds out by looking.

// Recorded says whether the status of the federated objects of a kind tells what looking at
// the clusters does not.
func Recorded(target schema.GroupKind, u *unstructured.Unstructured) bool {
	return federate.Ends(target) || u.GetAnnotations()[federate.ConsumedAnnotation] == "true"
}

// Record puts into the portable form of a federated object what its status says was done in
// clusters.
func Record(portable, u *unstructured.Unstructured) {
	var kept []any
	for _, c := range clustersOf(u) {
		version, _ := c["version"].(string)
		status, _ := c["status"].(string)
		if ledger.Moved(version, "") == "" || status != "" && status != string(federate.Completed) {
			continue
		}
		entry := map[string]any{"name": c["name"], "version": version}
		if status != "" {
			entry["status"] = status
		}
		kept = append(kept, entry)
	}
	if len(kept) > 0 {
		portable.Object["status"] = map[string]any{"clusters": kept}
	}
}

// RecordFor is the status with which a federated object begins on another host; nil for
// none. membership is that of a cluster there, empty where there is no such cluster.
func RecordFor(u *unstructured.Unstructured, membership func(cluster string) string) map[string]any {
	var moved []any
	for _, c := range clustersOf(u) {
		name, _ := c["name"].(string)
		version, _ := c["version"].(string)
		of := membership(name)
		if version = ledger.Moved(version, of); of == "" || version == "" {
			continue
		}
		entry := map[string]any{"name": name, "version": version}
		if status, said := c["status"]; said {
			entry["status"] = status
		}
		moved = append(moved, entry)
	}
	if len(moved) == 0 {
		return nil
	}
	return map[string]any{"status": map[string]any{"clusters": moved}}
}

func clustersOf(u *unstructured.Unstructured) (clusters []map[string]any) {
	status, _ := u.Object["status"].(map[string]any)
	list, _ := status["clusters"].([]any)
	for _, item := range list {
		if c, ok := item.(map[string]any); ok {
			clusters = append(clusters, c)
		}
	}
	return clusters
}

// HasRecords says whether anything is recorded of an object.
func HasRecords(u *unstructured.Unstructured) bool { return len(clustersOf(u)) > 0 }
