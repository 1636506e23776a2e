package federate

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What of an object means something in its own cluster only. Whoever makes a
// template of an object (Strip) leaves all of it out. Whoever renders a template
// leaves out what would be wrong in every other cluster, or start a fight there
// with those who keep it; the rest may have been written on purpose.

// localAnnotations are kept by other programs about one object in one cluster.
// They are dropped without a word: copies of objects are full of them.
var localAnnotations = []string{
	"kubectl.kubernetes.io/last-applied-configuration",
	"deployment.kubernetes.io/revision",
}

// clusterAnnotations are kept by a cluster about its own object, beside
// localAnnotations. A name that ends in a slash stands for all that begin with it.
var clusterAnnotations = []string{
	"deployment.kubernetes.io/desired-replicas",
	"deployment.kubernetes.io/max-replicas",
	"deployment.kubernetes.io/revision-history",
	"deprecated.daemonset.template.generation",
	"batch.kubernetes.io/job-tracking",
	"batch.kubernetes.io/cronjob-scheduled-timestamp",
	"autoscaling.alpha.kubernetes.io/conditions",
	"autoscaling.alpha.kubernetes.io/current-metrics",
	"control-plane.alpha.kubernetes.io/leader",
	"endpoints.kubernetes.io/last-change-trigger-time",
	serviceAccountUID,
	"pv.kubernetes.io/",
	"volume.beta.kubernetes.io/storage-provisioner",
	"volume.kubernetes.io/storage-provisioner",
	"volume.kubernetes.io/selected-node",
	"kubefed.io/",
}

// serviceAccountUID is the UID of the account that a token is for. The controller
// of tokens deletes a Secret whose account has another UID, which in another
// cluster it always has.
const serviceAccountUID = "kubernetes.io/service-account.uid"

// jobLabels are put on a Job's pods by the Job controller, or the API server for
// it, to tell them from those of any other Job.
var jobLabels = []string{"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"}

func isClusterAnnotation(name string) bool {
	return slices.ContainsFunc(clusterAnnotations, func(known string) bool {
		return name == known || strings.HasSuffix(known, "/") && strings.HasPrefix(name, known)
	})
}

// staysBehind says whether an annotation of an object is never sent to another
// cluster; object is only looked at.
func staysBehind(gk schema.GroupKind, object map[string]any, annotation string) bool {
	return slices.Contains(localAnnotations, annotation) || annotation == serviceAccountUID && isTokenSecret(gk, object)
}

func isTokenSecret(gk schema.GroupKind, object map[string]any) bool {
	return gk == schema.GroupKind{Kind: "Secret"} && object["type"] == "kubernetes.io/service-account-token"
}

// foreign is what identifies objects of one cluster in those of certain kinds:
// paths that are removed, where applies says so.
var foreign = []struct {
	kind    schema.GroupKind
	applies func(object map[string]any) bool
	paths   [][]string
	why     string
}{
	{
		kind:    schema.GroupKind{Kind: "Secret"},
		applies: func(object map[string]any) bool { return isTokenSecret(schema.GroupKind{Kind: "Secret"}, object) },
		paths:   [][]string{{"metadata", "annotations", serviceAccountUID}, {"data", "token"}, {"data", "ca.crt"}, {"data", "namespace"}},
		why:     "it belongs to the ServiceAccount of another cluster; each member cluster fills in its own",
	},
	{
		kind:  schema.GroupKind{Kind: "PersistentVolume"},
		paths: [][]string{{"spec", "claimRef", "uid"}, {"spec", "claimRef", "resourceVersion"}},
		why:   "it belongs to the claim of another cluster",
	},
	{
		kind:    schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"},
		applies: func(object map[string]any) bool { return object["aggregationRule"] != nil },
		paths:   [][]string{{"rules"}},
		why:     "each member cluster fills it in from the roles that its aggregationRule selects there",
	},
	{
		kind:    schema.GroupKind{Group: "batch", Kind: "Job"},
		applies: hasGeneratedSelector,
		paths:   jobPaths(),
		why:     "the API server of each member cluster generates it; set manualSelector to keep one of your own",
	},
}

// hasGeneratedSelector says that a Job's selector, if it has one, is not its
// author's: who writes the selector keeps it with its labels.
func hasGeneratedSelector(object map[string]any) bool {
	spec, ok := object["spec"].(map[string]any)
	return ok && spec["manualSelector"] != true
}

func jobPaths() [][]string {
	paths := [][]string{{"spec", "selector"}}
	for _, label := range jobLabels {
		paths = append(paths, []string{"metadata", "labels", label}, []string{"spec", "template", "metadata", "labels", label})
	}
	return paths
}

// removeForeign removes what identifies objects of one cluster. object is its own copy.
func removeForeign(gk schema.GroupKind, object map[string]any) {
	for _, rule := range foreign {
		if rule.kind != gk || rule.applies != nil && !rule.applies(object) {
			continue
		}
		for _, path := range rule.paths {
			remove(object, path[0], path[1:]...)
		}
	}
}

// leaveOutForeign is removeForeign for a template, of which only base is a copy; it
// says what it leaves out.
func (r *Renderer) leaveOutForeign(base map[string]any) {
	for _, rule := range foreign {
		if rule.kind != r.gvk.GroupKind() || rule.applies != nil && !rule.applies(base) {
			continue
		}
		for _, path := range rule.paths {
			value, present := valueAt(base, path)
			if !present {
				continue
			}
			copyPath(base, path)
			remove(base, path[0], path[1:]...)
			if list, isList := value.([]any); value == nil || isList && len(list) == 0 {
				continue // nothing is lost
			}
			r.warnings = append(r.warnings, templateField+"."+strings.Join(path, ".")+": is not propagated, since "+rule.why)
		}
	}
}

func present(in map[string]any, path []string) bool {
	_, ok := valueAt(in, path)
	return ok
}

func valueAt(in map[string]any, path []string) (value any, ok bool) {
	value, ok = in[path[0]]
	if !ok || len(path) == 1 {
		return value, ok
	}
	inner, ok := value.(map[string]any)
	if !ok {
		return nil, false
	}
	return valueAt(inner, path[1:])
}

// copyPath copies the maps on the way to a path below base, so that the last can
// be changed.
func copyPath(base map[string]any, path []string) {
	for node := base; len(path) > 1; path = path[1:] {
		inner, ok := node[path[0]].(map[string]any)
		if !ok {
			return
		}
		inner = maps.Clone(inner)
		node[path[0]] = inner
		node = inner
	}
}
