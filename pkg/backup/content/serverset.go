package content

import (
	"slices"
	"strings"
)

// clusterAnnotations are what clusters note about their own objects. A name that
// ends in a slash stands for all that begin with it.
var clusterAnnotations = []string{
	"autoscaling.alpha.kubernetes.io/conditions", "autoscaling.alpha.kubernetes.io/current-metrics",
	"batch.kubernetes.io/job-tracking", "batch.kubernetes.io/cronjob-scheduled-timestamp",
	"deployment.kubernetes.io/", "deprecated.daemonset.template.generation",
	"endpoints.kubernetes.io/last-change-trigger-time", "pv.kubernetes.io/",
	"volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner", "volume.kubernetes.io/selected-node",
}

// removeServerSet removes what a cluster sets in objects by itself: in metadata,
// in the status, and by kind. Provisioned-by is kept on volumes, where the
// cluster needs it to remove the disk.
func removeServerSet(resource Resource, object map[string]any) {
	if metadata := mapping(object, "metadata"); metadata != nil {
		for _, field := range notSaved {
			delete(metadata, field)
		}
		if annotations := mapping(metadata, "annotations"); annotations != nil {
			for key := range annotations {
				if resource.Name() == "persistentvolumes" && key == "pv.kubernetes.io/provisioned-by" {
					continue
				}
				if isClusters(key) {
					delete(annotations, key)
				}
			}
			if len(annotations) == 0 {
				delete(metadata, "annotations")
			}
		}
	}
	if slices.Contains(builtIn, resource.Group) {
		delete(object, "status")
	}
	if remove := serverSet[resource.Name()]; remove != nil {
		remove(object)
	}
}

func isClusters(key string) bool {
	return slices.ContainsFunc(clusterAnnotations, func(own string) bool {
		return key == own || strings.HasSuffix(own, "/") && strings.HasPrefix(key, own)
	})
}

const namespaces = "namespaces"

var serverSet = map[string]func(object map[string]any){
	namespaces: func(object map[string]any) {
		remove(object, "metadata", "labels", metadataName)
		remove(object, "spec", "finalizers")
	},
	"persistentvolumes": func(object map[string]any) {
		remove(object, "spec", "claimRef", "uid")
		remove(object, "spec", "claimRef", "resourceVersion")
	},
	"pods":            removeFromPod,
	"serviceaccounts": removeTokens,
	jobs:              removeJobSelector,
}

// removeFromPod removes what admission and the scheduler have put into a pod.
func removeFromPod(object map[string]any) {
	spec := mapping(object, "spec")
	if spec == nil {
		return
	}
	for _, field := range []string{"nodeName", "priority", "preemptionPolicy", "ephemeralContainers"} {
		delete(spec, field)
	}
	const prefix = "kube-api-access-"
	notToken := func(element any) bool {
		volume, ok := element.(map[string]any)
		return !ok || !strings.HasPrefix(text(volume, "name"), prefix)
	}
	filter(spec, "volumes", notToken)
	for _, list := range []string{"containers", "initContainers"} {
		for _, container := range elements(spec, list) {
			filter(container, "volumeMounts", notToken)
		}
	}
}

// removeTokens removes references to token Secrets, which are not saved.
func removeTokens(object map[string]any) {
	account := name(object)
	for _, list := range []string{"secrets", "imagePullSecrets"} {
		filter(object, list, func(element any) bool {
			reference, ok := element.(map[string]any)
			return !ok || !tokenOf(account, text(reference, "name"))
		})
	}
}

var jobLabels = []string{"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"}

// removeJobSelector removes the generated selector and the labels that it
// selects. Who wrote the selector keeps it with its labels.
func removeJobSelector(object map[string]any) {
	spec := mapping(object, "spec")
	if spec == nil || spec["manualSelector"] == true {
		return
	}
	delete(spec, "selector")
	for _, key := range jobLabels {
		remove(object, "metadata", "labels", key)
		remove(spec, "template", "metadata", "labels", key)
	}
}
