package content

import (
	"slices"
	"strings"
)

// Options say where a saved object goes.
type Options struct {
	// NamespaceMapping names, for namespaces whose objects go elsewhere, where to.
	NamespaceMapping map[string]string
	// SameCluster is set when the object goes back into the cluster it was saved in.
	SameCluster bool
	// NewUID finds the UID that an object has now, by the one it was saved with.
	// References to owners that it does not know are returned as pending.
	NewUID func(old string) (string, bool)
	// Volume is what the cluster has of the PersistentVolume that a claim was bound to.
	Volume VolumeState
	// VolumeSnapshot, in the claim's namespace, holds the data of the claim; empty
	// if there is none.
	VolumeSnapshot string
}

// VolumeState says what a cluster has of a PersistentVolume; empty for one that is not
// there, or belongs to another claim.
type VolumeState string

// VolumeFree is a volume that the claim can be bound to.
const VolumeFree VolumeState = "Free"

// Prepared says what Prepare could not decide, or has left out.
type Prepared struct {
	// Skip is why the object must not be restored; empty for one that can.
	Skip string
	// Notes tell what will not be as it was.
	Notes []string
	// PendingOwners are ownerReferences, with the UIDs of the saved owners, that are
	// not in the object because NewUID does not know them.
	PendingOwners []any
}

func (p *Prepared) note(note string) { p.Notes = append(p.Notes, note) }

// Prepare makes of a saved object what can be created in a cluster; it changes
// the object. What is kept beyond its sense elsewhere (addresses, finalizers) is
// only kept when the object goes back to where it was.
func Prepare(resource Resource, object map[string]any, options Options) Prepared {
	var result Prepared
	if result.Skip = skip(resource, object, options); result.Skip != "" {
		return result
	}
	moved := options.moves(resource, object)
	prepareOwners(object, options, &result)
	removeServerSet(resource, object)
	if metadata := mapping(object, "metadata"); metadata != nil {
		delete(metadata, "uid")
		delete(metadata, "creationTimestamp")
		prepareFinalizers(metadata, moved)
		if moved {
			// Elsewhere it is a copy that no federated object knows of.
			remove(metadata, "labels", "kubefed.io/managed")
		}
	}
	switch resource.Name() {
	case "persistentvolumeclaims":
		prepareClaim(object, options, &result)
	case "services":
		if moved {
			Relax(resource, object)
			remove(object, "spec", "ipFamilies")
		}
	}
	options.mapNamespaces(resource, object)
	return result
}

// moves says whether the object goes elsewhere than it was.
func (o Options) moves(resource Resource, object map[string]any) bool {
	from := namespace(object)
	if resource.Name() == namespaces {
		from = name(object)
	}
	return !o.SameCluster || o.to(from) != from
}

// to is the namespace that objects of a namespace go to.
func (o Options) to(from string) string {
	if to := o.NamespaceMapping[from]; to != "" {
		return to
	}
	return from
}

func skip(resource Resource, object map[string]any, options Options) string {
	switch resource.Name() {
	case jobs:
		if JobEnded(object) {
			return "has ended, and would run again"
		}
	case "persistentvolumes":
		dynamic := annotation(object, "pv.kubernetes.io/provisioned-by") != ""
		switch {
		case dynamic && !options.SameCluster:
			return "its disk belongs to another cluster; the claim gets a new volume"
		case dynamic && text(object, "spec", "persistentVolumeReclaimPolicy") != "Retain":
			return "its disk goes with it; the claim gets a new volume"
		}
	}
	return ""
}

// JobEnded says whether a Job has succeeded or failed.
func JobEnded(job map[string]any) bool {
	for _, condition := range elements(job, "status", "conditions") {
		if (condition["type"] == "Complete" || condition["type"] == "Failed") && condition["status"] == "True" {
			return true
		}
	}
	return false
}

// prepareOwners names the owners by their new UIDs and takes the others out: an
// object whose owner does not exist is deleted by the garbage collector.
func prepareOwners(object map[string]any, options Options, result *Prepared) {
	metadata := mapping(object, "metadata")
	if metadata == nil {
		return
	}
	filter(metadata, "ownerReferences", func(element any) bool {
		owner, ok := element.(map[string]any)
		if !ok {
			return false
		}
		if old, _ := owner["uid"].(string); old != "" && options.NewUID != nil {
			if uid, known := options.NewUID(old); known {
				owner["uid"] = uid
				return true
			}
		}
		result.PendingOwners = append(result.PendingOwners, owner)
		return false
	})
	if _, isList := metadata["ownerReferences"].([]any); !isList {
		delete(metadata, "ownerReferences")
	}
}

// serverFinalizers are put on objects by servers and controllers of Kubernetes
// when they are needed, and by nobody else.
var serverFinalizers = []string{
	"foregroundDeletion", "orphan", "kubernetes", "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection",
	"service.kubernetes.io/load-balancer-cleanup", "batch.kubernetes.io/job-tracking", "customresourcecleanup.apiextensions.k8s.io",
}

// prepareFinalizers keeps those that somebody else set, unless the object becomes
// a copy: then the thing outside that a finalizer guards belongs to the original.
func prepareFinalizers(metadata map[string]any, moved bool) {
	filter(metadata, "finalizers", func(element any) bool {
		finalizer, ok := element.(string)
		return ok && !moved && !slices.Contains(serverFinalizers, finalizer)
	})
}

// prepareClaim binds a claim to its volume if that can be, or fills a new volume
// from a snapshot. A source that the claim was once filled from would fill it
// with old data, or keep it waiting for ever.
func prepareClaim(object map[string]any, options Options, result *Prepared) {
	spec := mapping(object, "spec")
	if spec == nil {
		return
	}
	delete(spec, "dataSource")
	delete(spec, "dataSourceRef")
	bound, _ := spec["volumeName"].(string)
	switch {
	case bound != "" && options.Volume == VolumeFree && options.VolumeSnapshot == "":
		return
	case options.VolumeSnapshot != "":
		spec["dataSource"] = map[string]any{"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": options.VolumeSnapshot}
	case bound != "":
		result.note("gets a new, empty volume: the data in " + bound + " is not in the backup")
	}
	delete(spec, "volumeName")
}

// Relax removes what a cluster assigns and may have assigned to another object
// since: addresses and ports of Services. It changes the object and says whether
// there was any.
func Relax(resource Resource, object map[string]any) bool {
	spec := mapping(object, "spec")
	if resource.Name() != "services" || spec == nil {
		return false
	}
	relaxed := false
	drop := func(in map[string]any, field string) {
		if _, ok := in[field]; ok {
			delete(in, field)
			relaxed = true
		}
	}
	// "None" is a choice, any other address is from the cluster's own range.
	if spec["clusterIP"] != "None" {
		drop(spec, "clusterIP")
		drop(spec, "clusterIPs")
	}
	drop(spec, "healthCheckNodePort")
	for _, port := range elements(spec, "ports") {
		drop(port, "nodePort")
	}
	return relaxed
}

// Passive says whether objects of a resource only hold data: creating a copy of
// one starts nothing, reserves nothing and grants nothing.
func Passive(resource Resource) bool {
	return slices.Contains([]string{"configmaps", "secrets", "serviceaccounts", "roles.rbac.authorization.k8s.io", "podtemplates"}, resource.Name())
}

// tokenOf says whether a Secret has the name that clusters give to tokens of a
// ServiceAccount.
func tokenOf(account, secret string) bool {
	return strings.HasPrefix(secret, account+"-token-") || strings.HasPrefix(secret, account+"-dockercfg-")
}
