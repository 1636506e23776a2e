package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole

	"github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

// rule is a rule made ready: what is added is in the form in which objects hold it.
type rule struct {
	*v1alpha1.OverrideRule

	// field is the rule's path, such as spec.rules[0].
	field string
	// revision stands for all that the rule says.
	revision    string
	clusters    *clusterSelector
	derive      *v1alpha1.DeriveTolerations
	tolerations []corev1.Toleration
	// The lists hold maps, each with the key that items of its kind are known by.
	env, envFrom, mounts, volumes, inits, sidecars []any
	requests, limits                               map[string]any
	patches                                        []patches
	// perContainer and perPod are how many bytes of JSON it adds to each, at most.
	perContainer, perPod int
}

func compileRule(spec *v1alpha1.OverrideRule, field string) (rule, error) {
	r := rule{OverrideRule: spec, field: field, derive: spec.DeriveTolerations, tolerations: spec.Tolerations}
	var err error
	if r.clusters, err = compileClusters(spec.Clusters, field+".clusters"); err != nil {
		return r, err
	}
	if err := checkTolerations(spec, field); err != nil {
		return r, err
	}
	if (len(spec.Command) > 0 || len(spec.Args) > 0) && len(spec.Containers) == 0 {
		return r, fault(field+".containers", "must name the containers whose command or args are replaced")
	}
	r.env, r.envFrom, r.mounts = untyped(spec.Env), untyped(spec.EnvFrom), untyped(spec.VolumeMounts)
	if spec.Resources != nil {
		r.requests, r.limits = quantities(spec.Resources.Requests), quantities(spec.Resources.Limits)
	}
	for _, list := range []struct {
		name string
		from []apiextensionsv1.JSON
		to   *[]any
	}{{"volumes", spec.Volumes, &r.volumes}, {"initContainers", spec.InitContainers, &r.inits}, {"sidecars", spec.Sidecars, &r.sidecars}} {
		if *list.to, err = parts(list.from, field+"."+list.name); err != nil {
			return r, err
		}
	}
	if err := checkImages(spec.Images, field); err != nil {
		return r, err
	}
	r.perContainer = len(text([]any{r.env, r.envFrom, r.mounts, r.requests, r.limits, spec.Command, spec.Args}))
	r.perPod = len(text([]any{r.volumes, r.inits, r.sidecars, spec.Tolerations, spec.NodeSelector}))
	r.patches, err = compilePatches(spec.Patches, field)
	return r, err
}

// checkTolerations refuses what would open more than a person can mean.
func checkTolerations(spec *v1alpha1.OverrideRule, field string) error {
	for i := range spec.Tolerations {
		if spec.Tolerations[i].Key == "" {
			return fault(field+".tolerations["+strconv.Itoa(i)+"].key", "is missing: a toleration without a key lets pods onto every node, also those of the control plane and those that are going away")
		}
	}
	if spec.DeriveTolerations == nil {
		return nil
	}
	for i, a := range spec.DeriveTolerations.Approve {
		if a.Key == "" || a.Effect == "" {
			return fault(field+".deriveTolerations.approve["+strconv.Itoa(i)+"]", "needs key and effect")
		}
	}
	return nil
}

// parts reads volumes and containers, which need a name.
func parts(list []apiextensionsv1.JSON, field string) ([]any, error) {
	read := make([]any, 0, len(list))
	for i := range list {
		part := map[string]any{}
		if err := utiljson.Unmarshal(list[i].Raw, &part); err != nil {
			return nil, fault(field+"["+strconv.Itoa(i)+"]", "must be an object")
		}
		if name, ok := part["name"].(string); !ok || name == "" {
			return nil, fault(field+"["+strconv.Itoa(i)+"].name", "is missing")
		}
		read = append(read, part)
	}
	return read, nil
}

// untyped writes typed items as objects hold them.
func untyped[T any](items []T) []any {
	list := make([]any, 0, len(items))
	for i := range items {
		item, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&items[i])
		if err != nil { // they are plain data
			continue
		}
		list = append(list, item)
	}
	return list
}

func quantities(list corev1.ResourceList) map[string]any {
	written := make(map[string]any, len(list))
	for name, quantity := range list {
		written[string(name)] = quantity.String()
	}
	return written
}

// work is a rule carried out on one object for one cluster.
type work struct {
	*rule

	cluster string
	facts   Cluster
	sight   *sight
	paths   []workload.Template
	// told: a WorkloadKind says what the paths are.
	told bool
	// secret: the object is a Secret, of which messages name no keys.
	secret bool
	made   *madeContainers
	notes  []federate.Note
	// object is as it was before the rule, and size how large, as far as that counts; added is how
	// many bytes of JSON the rule has added, at most.
	object      map[string]any
	size, added int
	// met are the containers that the rule names and that have been found.
	met map[string]bool
}

// do returns the object as the rule makes it.
func (w *work) do(tree map[string]any) (map[string]any, error) {
	var err error
	if len(w.paths) > 0 && w.changesPods() {
		w.met = map[string]bool{}
		found := false
		w.object = tree
		tree, err = workload.Edit(tree, w.paths, func(spec map[string]any, at string) error {
			found = true
			if err := w.add(w.perPod); err != nil {
				return err
			}
			return w.pod(spec, at)
		})
		if err != nil {
			return nil, err
		}
		if w.told && !found { // a path that is mistyped would take away what the rule has put into pods
			return nil, fault(w.field, "the object has no pod template at "+strings.Join(w.paths[0].Path, ".")+", where the WorkloadKind of its kind says that there is one")
		}
		for i, name := range w.Containers {
			if !w.met[name] {
				return nil, fault(w.field+".containers["+strconv.Itoa(i)+"]", "the object has no container "+strconv.Quote(name))
			}
		}
	}
	tree = setStrings(tree, "labels", w.Labels)
	tree = setStrings(tree, "annotations", w.Annotations)
	if w.Replicas != nil {
		if spec, ok := tree["spec"].(map[string]any); ok {
			spec, tree = maps.Clone(spec), maps.Clone(tree)
			spec["replicas"], tree["spec"] = *w.Replicas, spec
		}
	}
	return w.patch(tree)
}

// few is how many bytes a rule may add without a look at how large the object is.
const few = 64 << 10

// add counts what the rule adds to one place of the object. What it adds to all of them is one
// value in memory, but whoever looks at the object meets it in each.
func (w *work) add(bytes int) error {
	w.added += bytes
	if w.added > few && w.size == 0 {
		w.size = sizeOf(w.object, federate.MostRendered)
	}
	if w.added > few && w.added+w.size > federate.MostRendered {
		return fault(w.field, fmt.Sprintf("makes the object larger than %d bytes, which no API server takes", federate.MostRendered))
	}
	return nil
}

// sizeOf is about how many bytes of JSON a value has; more than most, if there are more.
func sizeOf(v any, most int) int {
	size := 8
	switch v := v.(type) {
	case string:
		size += len(v)
	case map[string]any:
		for key, value := range v {
			if size += len(key); size > most {
				return size
			}
			size += sizeOf(value, most-size)
		}
	case []any:
		for _, item := range v {
			if size += sizeOf(item, most-size); size > most {
				return size
			}
		}
	}
	return size
}

// mayAsk says whether the rule may make pods ask for accelerators, or for no more.
func (r *rule) mayAsk() bool {
	return r.Resources != nil || len(r.inits) > 0 || len(r.sidecars) > 0 || len(r.patches) > 0
}

// changesContainers says whether the rule changes containers, or has named some in vain.
func (r *rule) changesContainers() bool {
	return len(r.Containers) > 0 || len(r.Images) > 0 || len(r.env) > 0 || len(r.envFrom) > 0 || len(r.mounts) > 0 ||
		r.Resources != nil || len(r.Command) > 0 || len(r.Args) > 0
}

func (r *rule) changesPods() bool {
	return r.changesContainers() || r.derive != nil || len(r.tolerations) > 0 || len(r.volumes) > 0 || len(r.inits) > 0 || len(r.sidecars) > 0 ||
		len(r.NodeSelector) > 0 || r.PriorityClassName != "" || r.SchedulerName != "" || r.RuntimeClassName != ""
}

// setStrings sets labels or annotations of the object itself.
func setStrings(tree map[string]any, field string, values map[string]string) map[string]any {
	if len(values) == 0 {
		return tree
	}
	tree = maps.Clone(tree)
	metadata, _ := tree["metadata"].(map[string]any)
	tree["metadata"] = withStrings(metadata, field, values)
	return tree
}

// withStrings returns a copy of a map with values set in a map of it.
func withStrings(of map[string]any, field string, values map[string]string) map[string]any {
	of = maps.Clone(of)
	if of == nil {
		of = map[string]any{}
	}
	inner, _ := of[field].(map[string]any)
	inner = maps.Clone(inner)
	if inner == nil {
		inner = map[string]any{}
	}
	for key, value := range values {
		inner[key] = value
	}
	of[field] = inner
	return of
}

// note says something; what is said twice is told once.
func (w *work) note(text string) { w.notes = append(w.notes, federate.Note{Text: text}) }

// same compares two values as JSON has them.
func same(a, b any) bool { return text(a) == text(b) }

// text is a value as JSON has it; what cannot be written is like nothing else.
func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%p %v", &v, err)
	}
	return string(data)
}
