package content

import (
	"slices"
	"strings"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// owned is a field of live objects that is not the writer's: servers assign it,
// controllers keep it up to date. It is never a difference, and an update leaves it as
// it is in the live object.
type owned struct {
	// resource is <plural>[.<group>]; empty for all.
	resource string
	// path is a JSON pointer, in which * stands for every element of a list.
	path string
	// only limits the row to some values; for a map or a list at path, to some of its
	// entries or elements. Nil: all there is.
	only func(object map[string]any, key string, value any) bool
	// when limits the row to some live objects. Nil: all.
	when func(live map[string]any) bool
	// kept says that a saved value is used where the object is created: in the place it
	// was saved from, and elsewhere if the rules of its kind say so.
	kept bool
	// source says who writes it, and where that is written down.
	source string
}

// ownedFields are the fields that are not the writer's. What a server sets as a
// default is not among them: a saved object has it, and where it is another version's,
// the server is asked what it makes of the object (see package restore).
var ownedFields = []owned{
	{path: "/status", source: "controllers: API conventions, spec and status"},
	{path: "/metadata/uid", source: "API server: k8s.io/apimachinery/pkg/apis/meta/v1, ObjectMeta"},
	{path: "/metadata/resourceVersion", source: "API server: ObjectMeta"},
	{path: "/metadata/generation", source: "API server: ObjectMeta"},
	{path: "/metadata/creationTimestamp", source: "API server: ObjectMeta"},
	{path: "/metadata/deletionTimestamp", source: "API server: ObjectMeta"},
	{path: "/metadata/deletionGracePeriodSeconds", source: "API server: ObjectMeta"},
	{path: "/metadata/managedFields", source: "API server: ObjectMeta"},
	{path: "/metadata/selfLink", source: "API server, until 1.24: ObjectMeta"},
	{path: "/metadata/finalizers", only: isServerFinalizer, source: "garbage collector and controllers of Kubernetes, when they are needed: kubernetes.io/docs/concepts/overview/working-with-objects/finalizers"},
	{path: "/metadata/annotations", only: isClustersAnnotation, source: "controllers of Kubernetes: kubernetes.io/docs/reference/labels-annotations-taints"},

	{namespaces, "/metadata/labels", keyIs(metadataName), nil, false, "API server: labels-annotations-taints"},
	{namespaces, "/metadata/annotations", keyBegins("openshift.io/sa.scc."), nil, false, "OpenShift's namespace security allocation, a range of each cluster's own"},
	{namespaces, "/spec/finalizers", nil, nil, false, "namespace controller: k8s.io/api/core/v1"},

	{repositories, "/metadata/annotations", keyIs(backupv1alpha1.CheckAnnotation), nil, false, "who asks for a look at it now: pkg/api/backup/v1alpha1"},

	{services, "/spec/clusterIP", notNone, nil, true, "API server, from the cluster's own range: k8s.io/api/core/v1, ServiceSpec"},
	{services, "/spec/clusterIPs", notNone, nil, true, "API server: ServiceSpec"},
	{services, "/spec/ipFamilies", nil, nil, true, "API server: ServiceSpec"},
	{services, "/spec/healthCheckNodePort", nil, nil, true, "API server, once for all: ServiceSpec"},

	{volumes, "/spec/claimRef/uid", nil, nil, false, "binder: k8s.io/api/core/v1, PersistentVolumeSpec"},
	{volumes, "/spec/claimRef/resourceVersion", nil, nil, false, "binder: PersistentVolumeSpec"},
	{volumes, "/spec/claimRef", nil, isClaimed, true, "binder, as long as a claim has the volume: PersistentVolumeSpec"},
	{claims, "/spec/volumeName", nil, nil, true, "binder: k8s.io/api/core/v1, PersistentVolumeClaimSpec"},
	{claims, "/spec/dataSource", nil, nil, true, "whoever filled the volume, once: PersistentVolumeClaimSpec"},
	{claims, "/spec/dataSourceRef", nil, nil, true, "whoever filled the volume, once: PersistentVolumeClaimSpec"},

	{"pods", "/spec/nodeName", nil, nil, false, "scheduler: k8s.io/api/core/v1, PodSpec"},
	{"pods", "/spec/priority", nil, nil, false, "admission, from priorityClassName: PodSpec"},
	{"pods", "/spec/preemptionPolicy", nil, nil, false, "admission, from priorityClassName: PodSpec"},
	{"pods", "/spec/ephemeralContainers", nil, nil, false, "whoever debugs: PodSpec"},
	{"pods", "/spec/volumes", isTokenVolume, nil, false, "admission of ServiceAccounts: kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin"},
	{"pods", "/spec/containers/*/volumeMounts", isTokenVolume, nil, false, "admission of ServiceAccounts"},
	{"pods", "/spec/initContainers/*/volumeMounts", isTokenVolume, nil, false, "admission of ServiceAccounts"},
	{serviceAccounts, "/secrets", isOwnToken, nil, false, "token controller, until 1.24: service-accounts-admin"},
	{serviceAccounts, "/imagePullSecrets", isOwnToken, nil, false, "OpenShift's registry controller"},
	{secrets, "/metadata/annotations", keyIs("kubernetes.io/service-account.uid"), isToken, false, "token controller: service-accounts-admin"},
	{secrets, "/metadata/labels", keyBegins("kubernetes.io/legacy-token-"), isToken, false, "token controller: labels-annotations-taints"},
	{secrets, "/data", keyIs("token", "ca.crt", "namespace"), isToken, false, "token controller: service-accounts-admin"},

	{jobs, "/spec/selector", isGeneratedSelector, nil, false, "API server, unless manualSelector: k8s.io/api/batch/v1, JobSpec"},
	{jobs, "/spec/template/metadata/labels", isGeneratedLabel, nil, false, "API server, unless manualSelector: JobSpec"},
	{jobs, "/metadata/labels", isGeneratedLabel, nil, false, "API server, unless manualSelector: JobSpec"},
	{"deployments.apps", "/spec/replicas", nil, isAutoscaled, true, "HorizontalPodAutoscaler, through the subresource scale: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale"},
	{"statefulsets.apps", "/spec/replicas", nil, isAutoscaled, true, "HorizontalPodAutoscaler"},
	{"replicasets.apps", "/spec/replicas", nil, isAutoscaled, true, "HorizontalPodAutoscaler"},
	{"replicationcontrollers", "/spec/replicas", nil, isAutoscaled, true, "HorizontalPodAutoscaler"},
	{clusterRoles, "/rules", nil, isAggregated, true, "aggregation controller: kubernetes.io/docs/reference/access-authn-authz/rbac, aggregated ClusterRoles"},

	{validatingWebhooks, "/webhooks/*/clientConfig/caBundle", nil, isInjected, true, "whoever the annotation names: cert-manager.io/docs/concepts/ca-injector"},
	{mutatingWebhooks, "/webhooks/*/clientConfig/caBundle", nil, isInjected, true, "cert-manager.io/docs/concepts/ca-injector"},
	{definitions, "/spec/conversion/webhook/clientConfig/caBundle", nil, isInjected, true, "cert-manager.io/docs/concepts/ca-injector"},
	{apiServices, "/spec/caBundle", nil, isInjected, true, "cert-manager.io/docs/concepts/ca-injector"},
}

// ownedBy are the rows for a resource that hold for a live object.
func ownedBy(resource Resource, live map[string]any) []owned {
	var out []owned
	for _, row := range ownedFields {
		if (row.resource == "" || row.resource == resource.Name()) && (row.when == nil || row.when(live)) {
			out = append(out, row)
		}
	}
	return out
}

// removeServerSet removes from a saved object what the cluster that it goes to sets by
// itself. Provisioned-by is kept on volumes, where the cluster needs it to remove the
// disk, and the status of custom resources, which may be all there is of it.
func removeServerSet(resource Resource, object map[string]any) {
	for _, row := range ownedBy(resource, object) {
		switch {
		case row.kept, row.path == "/status" && !slices.Contains(builtIn, resource.Group),
			// Both are dealt with by prepareFinalizers, and at the end of Prepare.
			row.path == "/metadata/uid", row.path == "/metadata/creationTimestamp", row.path == "/metadata/finalizers":
			continue
		}
		row.remove(resource, object)
	}
}

// remove removes the field from an object.
func (row owned) remove(resource Resource, object map[string]any) {
	tokens := tokensOf(row.path)
	last := tokens[len(tokens)-1]
	rewrite(object, tokens[:len(tokens)-1], "", func(_ string, parent any) any {
		if m, ok := parent.(map[string]any); ok {
			row.removeFrom(resource, object, m, last)
		}
		return parent
	})
	prune(object, tokens)
}

func (row owned) removeFrom(resource Resource, object, parent map[string]any, key string) {
	switch value := parent[key].(type) {
	case map[string]any:
		for inner := range value {
			if row.owns(resource, object, inner, value[inner]) {
				delete(value, inner)
			}
		}
		if row.only == nil || len(value) == 0 {
			delete(parent, key)
		}
	case []any:
		kept := slices.DeleteFunc(slices.Clone(value), func(element any) bool { return row.owns(resource, object, "", element) })
		if parent[key] = kept; row.only == nil || len(kept) == 0 {
			delete(parent, key)
		}
	default:
		if row.owns(resource, object, key, value) {
			delete(parent, key)
		}
	}
}

func (row owned) owns(resource Resource, object map[string]any, key string, value any) bool {
	if resource.Name() == volumes && key == provisionedBy {
		return false
	}
	return row.only == nil || row.only(object, key, value)
}

// prune removes the maps on the way to a field that are empty without it.
func prune(object map[string]any, tokens []string) {
	for end := len(tokens) - 1; end > 0; end-- {
		if slices.Contains(tokens[:end], "*") || end == 1 && tokens[0] == "metadata" {
			continue
		}
		if inner, ok := at(object, tokens[:end]...).(map[string]any); ok && len(inner) == 0 {
			parent := mapping(object, tokens[:end-1]...)
			delete(parent, tokens[end-1])
		}
	}
}

const provisionedBy = "pv.kubernetes.io/provisioned-by"

// clusterAnnotations are what clusters note about their own objects. A name that
// ends in a slash stands for all that begin with it.
var clusterAnnotations = []string{
	"autoscaling.alpha.kubernetes.io/conditions", "autoscaling.alpha.kubernetes.io/current-metrics",
	"batch.kubernetes.io/job-tracking", "batch.kubernetes.io/cronjob-scheduled-timestamp",
	"deployment.kubernetes.io/", "deprecated.daemonset.template.generation",
	"endpoints.kubernetes.io/last-change-trigger-time", "pv.kubernetes.io/",
	"volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner", "volume.kubernetes.io/selected-node",
}

func isClustersAnnotation(_ map[string]any, key string, _ any) bool {
	return slices.ContainsFunc(clusterAnnotations, func(own string) bool {
		return key == own || strings.HasSuffix(own, "/") && strings.HasPrefix(key, own)
	})
}
