package content

import (
	"slices"
	"strings"
)

// The conditions of the rows of ownedFields.

type values = func(object map[string]any, key string, value any) bool

func keyIs(names ...string) values {
	return func(_ map[string]any, key string, _ any) bool { return slices.Contains(names, key) }
}

func keyBegins(prefix string) values {
	return func(_ map[string]any, key string, _ any) bool { return strings.HasPrefix(key, prefix) }
}

// serverFinalizers are put on objects by servers and controllers of Kubernetes
// when they are needed, and by nobody else.
var serverFinalizers = []string{
	"foregroundDeletion", "orphan", "kubernetes", "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection",
	"service.kubernetes.io/load-balancer-cleanup", "batch.kubernetes.io/job-tracking", "customresourcecleanup.apiextensions.k8s.io",
}

func isServerFinalizer(_ map[string]any, _ string, value any) bool {
	finalizer, ok := value.(string)
	return !ok || slices.Contains(serverFinalizers, finalizer) || strings.HasPrefix(finalizer, "external-provisioner.volume.kubernetes.io/")
}

// notNone: "None" is a choice, any other address is from the cluster's own range.
func notNone(_ map[string]any, _ string, value any) bool { return value != "None" }

// isClaimed says whether a claim has a volume: its UID is in it.
func isClaimed(live map[string]any) bool { return text(live, "spec", "claimRef", "uid") != "" }

func isTokenVolume(_ map[string]any, _ string, value any) bool {
	named, ok := value.(map[string]any)
	return ok && strings.HasPrefix(text(named, "name"), "kube-api-access-")
}

// isOwnToken is a reference of a ServiceAccount to a token that was made for it.
func isOwnToken(account map[string]any, _ string, value any) bool {
	reference, ok := value.(map[string]any)
	return ok && tokenOf(name(account), text(reference, "name"))
}

// isToken says whether a Secret holds the token of a ServiceAccount.
func isToken(secret map[string]any) bool { return text(secret, "type") == tokenType }

func manualSelector(job map[string]any) bool { return at(job, "spec", "manualSelector") == true }

func isGeneratedSelector(job map[string]any, _ string, _ any) bool { return !manualSelector(job) }

var jobLabels = []string{"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"}

func isGeneratedLabel(job map[string]any, key string, _ any) bool {
	return !manualSelector(job) && slices.Contains(jobLabels, key)
}

// isAutoscaled says whether Kubernetes' own controller was the last to set the
// replicas, through the subresource scale: the managedFields tell.
func isAutoscaled(live map[string]any) bool {
	return slices.ContainsFunc(elements(live, "metadata", "managedFields"), func(entry map[string]any) bool {
		return entry["manager"] == "kube-controller-manager" && entry["subresource"] == "scale" &&
			at(entry, "fieldsV1", "f:spec", "f:replicas") != nil
	})
}

func isAggregated(role map[string]any) bool { return at(role, "aggregationRule") != nil }

// injectors are annotations that have somebody fill in a CA.
var injectors = []string{
	"cert-manager.io/inject-ca-from", "cert-manager.io/inject-ca-from-secret", "cert-manager.io/inject-apiserver-ca",
	"service.beta.openshift.io/inject-cabundle",
}

func isInjected(live map[string]any) bool {
	return slices.ContainsFunc(injectors, func(key string) bool { return annotation(live, key) != "" })
}
