package exported

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
)

// A Job that has ended and is gone from its cluster would be made again by a host that does
// not know that it was there, and would run again. So of what ends by itself, or is consumed,
// goes with it what the status says of it. So does whose the replicas are: where an autoscaler
// has gone and its last number stays, nothing in the cluster tells. Of everything else a host
// finds out by looking.

// Recorded says whether the status of the federated objects of a kind tells what was done in
// clusters that looking at them does not.
func Recorded(target schema.GroupKind, u *unstructured.Unstructured) bool {
	return federate.Ends(target) || u.GetAnnotations()[federate.ConsumedAnnotation] == "true"
}

// Record puts into the portable form of a federated object what its status says of clusters that
// looking at them does not tell.
func Record(target schema.GroupKind, portable, u *unstructured.Unstructured) {
	recorded := Recorded(target, u)
	var kept []any
	for _, c := range clustersOf(u) {
		entry := map[string]any{}
		version, _ := c["version"].(string)
		status, _ := c["status"].(string)
		if recorded && ledger.Moved(version, "") != "" && (status == "" || status == string(federate.Completed)) {
			entry["version"] = version
			if status != "" {
				entry["status"] = status
			}
		}
		if left, _ := c[autoscalingField].(map[string]any); left["replicas"] != nil {
			entry[autoscalingField] = left
		}
		if len(entry) > 0 {
			entry["name"] = c["name"]
			kept = append(kept, entry)
		}
	}
	if len(kept) > 0 {
		portable.Object["status"] = map[string]any{"clusters": kept}
	}
}

// autoscalingField is that of a cluster's status with whose the replicas are there.
const autoscalingField = "autoscaling"

// RecordFor is the status with which a federated object begins on another host; nil for
// none. membership is that of a cluster there, empty where there is no such cluster.
func RecordFor(u *unstructured.Unstructured, membership func(cluster string) string) map[string]any {
	var moved []any
	for _, c := range clustersOf(u) {
		name, _ := c["name"].(string)
		of := membership(name)
		if of == "" {
			continue
		}
		entry := map[string]any{}
		version, _ := c["version"].(string)
		if version = ledger.Moved(version, of); version != "" {
			entry["version"] = version
			if status, said := c["status"]; said {
				entry["status"] = status
			}
		}
		if left, said := c[autoscalingField]; said {
			entry[autoscalingField] = left
		}
		if len(entry) > 0 {
			entry["name"] = name
			moved = append(moved, entry)
		}
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
