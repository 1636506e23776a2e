package content

import (
	"slices"
	"strings"
)

// omitted are resources of which nothing is ever saved. A name that begins with
// "*." stands for all resources of a group.
var omitted = map[string]string{
	"events":                              "events tell what happened and cannot be restored",
	"events.events.k8s.io":                "events tell what happened and cannot be restored",
	"leases.coordination.k8s.io":          "leases say who holds what now",
	"nodes":                               "nodes register themselves",
	"componentstatuses":                   "computed by the API server",
	"bindings":                            "bindings are requests, not objects",
	"volumeattachments.storage.k8s.io":    "attachments are made by the cluster",
	"csinodes.storage.k8s.io":             "drivers register themselves",
	"csistoragecapacities.storage.k8s.io": "computed by storage drivers",
	"resourceslices.resource.k8s.io":      "drivers publish their devices themselves",
	"certificatesigningrequests.certificates.k8s.io": "requests of certificates are answered once",
	"podcertificaterequests.certificates.k8s.io":     "requests of certificates are answered once",
	"ipaddresses.networking.k8s.io":                  "addresses are assigned by the API server",
	"leasecandidates.coordination.k8s.io":            "leases say who holds what now",
	"volumesnapshots.snapshot.storage.k8s.io":        "a restored VolumeSnapshot would take a new snapshot",
	"volumesnapshotcontents.snapshot.storage.k8s.io": "snapshots belong to the storage of their cluster",
	"backupruns.backup.fedctl.io":                    "a restored BackupRun would run again; the repository knows what it holds",
	"restores.backup.fedctl.io":                      "a restored Restore would restore again",
	"*.metrics.k8s.io":                               "metrics are measured, not stored",
	"*.custom.metrics.k8s.io":                        "metrics are measured, not stored",
	"*.external.metrics.k8s.io":                      "metrics are measured, not stored",
	"*.authentication.k8s.io":                        "reviews are requests, not objects",
	"*.authorization.k8s.io":                         "reviews are requests, not objects",
	"*.internal.apiserver.k8s.io":                    "kept by API servers for themselves",
	"*.storagemigration.k8s.io":                      "migrations concern the storage of their cluster",
}

// OmitResource says whether no object of a resource is ever saved, and why.
func OmitResource(group, plural string) (reason string, omit bool) {
	for _, name := range []string{resourceName(group, plural), "*." + group} {
		if reason = omitted[name]; reason != "" {
			return reason, true
		}
	}
	return "", false
}

// Omit says whether an object that was read from a cluster is not worth saving,
// and why: it is made by the cluster, or it is the work of another object that
// is saved. Reasons are few and the same for all objects alike, so that they can
// be counted.
func Omit(resource Resource, object map[string]any) (reason string, omit bool) {
	if at(object, "metadata", "deletionTimestamp") != nil {
		return "is being deleted", true
	}
	if rule := omitRules[resource.Name()]; rule != nil {
		reason = rule(object)
	}
	return reason, reason != ""
}

const (
	ownedReason  = "made again by the object that owns it"
	serverReason = "made by the API server"
)

// omitRules by resource: an empty reason means that the object is saved.
var omitRules = map[string]func(object map[string]any) string{
	"pods":                            omitPod,
	"replicasets.apps":                omitOwned,
	"controllerrevisions.apps":        omitOwned,
	"jobs.batch":                      omitOwned,
	"replicationcontrollers":          omitOwned,
	"endpointslices.discovery.k8s.io": omitEndpointSlice,
	"endpoints":                       omitEndpoints,
	"configmaps":                      omitConfigMap,
	"secrets":                         omitSecret,
	"serviceaccounts":                 omitServiceAccount,
	"services": func(object map[string]any) string {
		return when(isNamed(object, "default", "kubernetes"), serverReason)
	},
	"servicecidrs.networking.k8s.io": func(object map[string]any) string {
		return when(name(object) == "kubernetes", serverReason)
	},
	"apiservices.apiregistration.k8s.io": func(object map[string]any) string {
		return when(at(object, "spec", "service") == nil, serverReason)
	},
	"clusterroles.rbac.authorization.k8s.io":                   omitBootstrapRole,
	"clusterrolebindings.rbac.authorization.k8s.io":            omitBootstrapRole,
	"roles.rbac.authorization.k8s.io":                          omitBootstrapRole,
	"rolebindings.rbac.authorization.k8s.io":                   omitBootstrapRole,
	"flowschemas.flowcontrol.apiserver.k8s.io":                 omitFlowControl,
	"prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": omitFlowControl,
	"priorityclasses.scheduling.k8s.io": func(object map[string]any) string {
		return when(strings.HasPrefix(name(object), "system-"), serverReason)
	},
}

func when(condition bool, reason string) string {
	if condition {
		return reason
	}
	return ""
}

func omitPod(object map[string]any) string {
	phase := text(object, "status", "phase")
	switch {
	case isOwned(object):
		return ownedReason
	case annotation(object, "kubernetes.io/config.mirror") != "":
		return "a static pod of its node"
	case phase == "Succeeded" || phase == "Failed":
		return "has ended, and would run again"
	}
	return ""
}

func omitOwned(object map[string]any) string { return when(isOwned(object), ownedReason) }

// Endpoints and EndpointSlices that somebody wrote for a Service without selector
// are data; the others follow from Services and pods.
func omitEndpoints(object map[string]any) string {
	switch {
	case annotation(object, leaderAnnotation) != "":
		return leaderReason
	case label(object, "endpoints.kubernetes.io/managed-by") != "",
		annotation(object, "endpoints.kubernetes.io/last-change-trigger-time") != "",
		isNamed(object, "default", "kubernetes"):
		return ownedReason
	}
	return ""
}

func omitEndpointSlice(object map[string]any) string {
	manager := label(object, "endpointslice.kubernetes.io/managed-by")
	return when(isOwned(object) || strings.HasSuffix(manager, ".k8s.io") || isNamed(object, "default", "kubernetes"), ownedReason)
}

const (
	leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"
	leaderReason     = "says who leads now"
)

func omitConfigMap(object map[string]any) string {
	switch {
	case name(object) == "kube-root-ca.crt", name(object) == "openshift-service-ca.crt",
		isNamed(object, "kube-system", "extension-apiserver-authentication"):
		return "made by the cluster, in every namespace or for itself"
	case annotation(object, leaderAnnotation) != "":
		return leaderReason
	}
	return ""
}

const tokenType = "kubernetes.io/service-account-token" //nolint:gosec // a type, no token

func omitSecret(object map[string]any) string {
	switch text(object, "type") {
	case tokenType:
		// One that somebody wrote is saved without the token, which the cluster that it
		// is restored into fills in.
		return when(tokenOf(annotation(object, "kubernetes.io/service-account.name"), name(object)), "a token that only its cluster accepts")
	case "bootstrap.kubernetes.io/token":
		return "a token for nodes to join their cluster"
	}
	return ""
}

// Every namespace gets its account "default". One to which somebody gave
// something is worth saving.
func omitServiceAccount(object map[string]any) string {
	if name(object) != "default" {
		return ""
	}
	pull, _ := object["imagePullSecrets"].([]any)
	_, automount := object["automountServiceAccountToken"]
	plain := len(pull) == 0 && !automount && len(mapping(object, "metadata", "labels")) == 0 && len(mapping(object, "metadata", "annotations")) == 0
	return when(plain, "made by the cluster, in every namespace or for itself")
}

func omitBootstrapRole(object map[string]any) string {
	bootstrap := label(object, "kubernetes.io/bootstrapping") == "rbac-defaults"
	return when(bootstrap && annotation(object, "rbac.authorization.kubernetes.io/autoupdate") != "false", serverReason)
}

func omitFlowControl(object map[string]any) string {
	return when(annotation(object, "apf.kubernetes.io/autoupdate-spec") == "true" || slices.Contains([]string{"exempt", "catch-all"}, name(object)), serverReason)
}
