package content

import (
	"fmt"
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
	// Originals are the namespaces of the mapping, by their saved names, that exist in
	// the cluster beside the ones that they are mapped to.
	Originals map[string]bool
	// Keys are the Secrets that BackupRepositories of the cluster read, by their
	// namespaces and names, with the name of one that does.
	Keys map[[2]string]string
	// KeepBackups leaves Backups that go elsewhere as they were saved; otherwise they
	// are suspended, since they would go on saving what the originals save.
	KeepBackups bool
	// Scratch is a copy that is only looked at: it gets no ports of its own.
	Scratch bool
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
	// References are the fields that named namespaces that move, and were changed.
	References []Reference
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
		prepareFinalizers(metadata, moved, &result)
		if moved {
			// Elsewhere it is a copy that no federated object knows of.
			remove(metadata, "labels", "kubefed.io/managed")
		}
	}
	switch resource.Name() {
	case claims:
		prepareClaim(object, options, &result)
	case services:
		prepareService(object, options, moved)
	case backups, federatedBackups, repositories:
		prepareOwn(resource, object, options, moved, &result)
	}
	result.References = options.mapNamespaces(resource, object)
	result.noteUnknown(options.unknownReferences(resource, object, result.References))
	return result
}

// noteUnknown names what may have to be changed by hand.
func (p *Prepared) noteUnknown(found []Reference) {
	if len(found) == 0 {
		return
	}
	const most = 3
	var fields []string
	for _, reference := range found[:min(most, len(found))] {
		fields = append(fields, fmt.Sprintf("%s (%s)", reference.Path, reference.From))
	}
	text := strings.Join(fields, ", ")
	if len(found) > most {
		text += fmt.Sprintf(" and %d more", len(found)-most)
	}
	p.note("seems to name a namespace that is mapped, and was left as it is: " + text + "; if it is to name the new one, change it by a transform")
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
	case volumes:
		dynamic := annotation(object, provisionedBy) != ""
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

// prepareFinalizers keeps those that somebody else set, unless the object becomes
// a copy: then the thing outside that a finalizer guards belongs to the original.
func prepareFinalizers(metadata map[string]any, moved bool, result *Prepared) {
	var dropped []string
	filter(metadata, "finalizers", func(element any) bool {
		if isServerFinalizer(nil, "", element) {
			return false
		}
		if moved {
			dropped = append(dropped, element.(string))
		}
		return !moved
	})
	if len(dropped) > 0 {
		result.note("is a copy, and restored without the finalizers of the original: " + strings.Join(dropped, ", "))
	}
}

// prepareService keeps the ports on the nodes also elsewhere: they may be free there,
// and others may know them. Addresses are of each cluster's own.
func prepareService(object map[string]any, options Options, moved bool) {
	spec := mapping(object, "spec")
	if spec == nil || !moved {
		return
	}
	relaxAddress(spec)
	delete(spec, "ipFamilies")
	if options.Scratch {
		relaxPorts(spec)
	}
}

// prepareOwn deals with backups' own objects that go elsewhere: the originals, if they
// are there, would have to share what they save with the copies.
func prepareOwn(resource Resource, object map[string]any, options Options, moved bool, result *Prepared) {
	spec := mapping(object, "spec")
	if resource.Name() == federatedBackups {
		spec = mapping(object, "spec", "template", "spec")
	}
	switch {
	case spec == nil || !moved || options.KeepBackups || options.Scratch:
	case resource.Name() == repositories:
		if !options.SameCluster && spec["readOnly"] != true {
			spec["readOnly"] = true
			result.note("is restored with readOnly: true, since what it names belongs to the cluster that was saved; give it a place of its own to write to it")
		}
	case spec["suspend"] != true:
		spec["suspend"] = true
		result.note("is a copy, and restored suspended, so that it does not save what the original saves; set spec.suspend to false to start it, or restore it with restoredBackups: Keep")
	}
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
	if resource.Name() != services || spec == nil {
		return false
	}
	address := relaxAddress(spec)
	return relaxPorts(spec) || address
}

func drop(in map[string]any, field string) bool {
	_, ok := in[field]
	delete(in, field)
	return ok
}

func relaxAddress(spec map[string]any) bool {
	if spec["clusterIP"] == "None" {
		return false
	}
	one := drop(spec, "clusterIP")
	return drop(spec, "clusterIPs") || one
}

func relaxPorts(spec map[string]any) bool {
	relaxed := drop(spec, "healthCheckNodePort")
	for _, port := range elements(spec, "ports") {
		relaxed = drop(port, "nodePort") || relaxed
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
