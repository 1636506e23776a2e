// Package capture reads a cluster into a snapshot of a repository.
//
// Every resource that can be listed and created is read in its preferred version,
// page by page. The pages of one list show one moment; if the API server forgets it
// before the last page, the list begins anew. What cannot be read is a warning and
// makes the snapshot partial: it is neither a success nor the loss of the rest. What
// is never saved, and how objects are cleaned, is decided by package content, and what
// was left out is recorded.
//
// Memory does not grow with the cluster: pages are as large as their objects allow,
// and one page is read while the one before is written.
//
// Around the reading, hooks run commands in pods, and VolumeSnapshots are made of
// PersistentVolumeClaims.
//
// The package may import client-go, the pure packages and package repository, but no
// controller-runtime: it works with a *rest.Config, wherever it runs.
package capture
