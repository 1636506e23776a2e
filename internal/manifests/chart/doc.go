// Package chart writes the Helm charts from the shipped manifests: charts/fedctl-crds,
// the definitions, and charts/fedctl, all the rest of a control plane. It is why chart
// and "fedctl install" cannot differ: both have what package manifests builds.
//
// The manifests are built for a namespace that nobody has, and printed; the namespace,
// and what values change, are then replaced by Helm's expressions. What no manifest says
// (helpers, notes, checks) is written by hand and lies in charts/ itself.
//
// The package is pure: it knows no file and makes no request. It may import package
// manifests and what that may.
package chart
