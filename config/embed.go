// Package config embeds the manifests of the control plane, as kustomize reads
// them, for "fedctl install" and for suites. It holds no code and imports nothing.
package config

import "embed"

// Files are the manifests; default/ is the kustomization of the whole,
// namespaced/ that of a control plane for one namespace, backup-rights/ and
// backup-executor/ those of members that execute backups, fleet-api/ that of the API
// server of the fleet, cluster-profiles/ what publishing the members as ClusterProfiles needs,
// monitoring/ what Prometheus' operator and Grafana make of the metrics.
//
//go:embed backup-executor backup-rights cluster-profiles crd default fleet-api manager monitoring namespaced policies rbac types
var Files embed.FS
