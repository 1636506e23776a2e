// Package repository stores what backups save: encrypted, deduplicated and
// compressed, in a directory or a bucket. The engine is kopia; what is written are
// snapshots that the kopia command line lists, verifies and restores as well.
//
// A repository belongs to one cluster. An owner mark in it, written before anything
// else, says which; nobody else's data is ever written to ([Open]), but anybody who
// has the password can read it ([OpenReadOnly]), which is how a cluster is restored
// into another one.
//
// A snapshot is a directory:
//
//	manifest.json                 what was saved, and what was not: see Manifest
//	objects/<plural>.<group>.json  the objects of a resource, one JSON object a line
//
// Objects are added in the order of their keys, and files are divided where a hash
// of the key says so. A run in which little has changed therefore writes little,
// wherever the changes are. Nothing is held in memory but the pieces being written.
//
// Errors of this package are an [*Error] with a reason in one word, fit for a
// condition. No error and no log line holds a credential.
//
// The package knows Kubernetes objects only as JSON with a key. It imports no
// Kubernetes client.
package repository
