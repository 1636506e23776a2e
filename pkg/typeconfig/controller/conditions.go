package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
)

// The conditions of a FederatedTypeConfig are ours: KubeFed's status has none. Each is
// there only while something is wrong with a type that runs, and False then.
const (
	// conditionRights says that members do not let objects of the type be read.
	conditionRights, reasonRights = "MemberRights", "RightsMissing"
	// conditionDefinition says that the definition of the federated type is not ours.
	conditionDefinition, reasonDefinition = "FederatedDefinition", "KubeFedDefinition"
)

// lookAgain is how long after members lacked rights it is asked again which: members
// leave, and nobody tells of that here.
const lookAgain = 10 * time.Second

// faults are the conditions of a type that runs.
func (r *reconciler) faults(ctx context.Context, t typeconfig.Type) ([]metav1.Condition, error) {
	var conditions []metav1.Condition
	if r.Rights != nil {
		if lacking := r.Rights.Lacking(t.Name); len(lacking) > 0 {
			conditions = append(conditions, metav1.Condition{Type: conditionRights, Reason: reasonRights, Message: describeRights(t, lacking)})
		}
	}
	lacks, err := r.lacks(ctx, t)
	if err != nil {
		return nil, err
	}
	if len(lacks) > 0 {
		conditions = append(conditions, metav1.Condition{Type: conditionDefinition, Reason: reasonDefinition, Message: fmt.Sprintf(
			"the CustomResourceDefinition %s is as kubefedctl makes it, without %s: fedctl enable %s brings it back", t.CRDName(), strings.Join(lacks, "; without "), t.Name)})
	}
	return conditions, nil
}

// describeRights names members that lack rights, as many as can be read.
func describeRights(t typeconfig.Type, lacking []string) string {
	const most = 10
	names := strings.Join(lacking[:min(len(lacking), most)], ", ")
	if rest := len(lacking) - most; rest > 0 {
		names += fmt.Sprintf(" and %d more", rest)
	}
	return fmt.Sprintf("the controller may not read %s in %s, which joined before the type was enabled, or have taken rights away: "+
		"fedctl join NAME for each, or fedctl enable %s --join for all", t.Target.GVR.GroupResource(), names, t.Name)
}

// lacks names what the definition of a federated type leaves out. It is read again when
// it has changed.
func (r *reconciler) lacks(ctx context.Context, t typeconfig.Type) ([]string, error) {
	known := crdMetadata()
	if err := r.client.Get(ctx, client.ObjectKey{Name: t.CRDName()}, known); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	looked, ok := r.definitions[t.CRDName()]
	if ok && looked.uid == known.UID && looked.generation == known.Generation {
		return looked.lacks, nil
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := r.live.Get(ctx, client.ObjectKey{Name: t.CRDName()}, crd); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	lacks := definition.Lacks(crd, t.Federated.GVR.Version)
	r.definitions[t.CRDName()] = lookedAt{uid: crd.UID, generation: crd.Generation, lacks: lacks}
	return lacks, nil
}

// lookedAt is what was found in a definition.
type lookedAt struct {
	uid        types.UID
	generation int64
	lacks      []string
}

// reportFaults brings the conditions of config up to date, and sends an event for what
// is new.
func (r *reconciler) reportFaults(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig, faults []metav1.Condition) error {
	before, known := r.conditions[config.Name]
	if !known {
		var err error
		if before, err = r.readConditions(ctx, config); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	next, changed := mergeConditions(before, faults, config.Generation)
	if !changed {
		r.conditions[config.Name] = before
		return nil
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": config.UID}, "status": map[string]any{"conditions": next}})
	if err != nil {
		return err
	}
	if err := r.client.Status().Patch(ctx, config.DeepCopy(), client.RawPatch(types.MergePatchType, body)); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.conditions[config.Name] = next
	for _, c := range next {
		if had := meta.FindStatusCondition(before, c.Type); isOurs(c.Type) && (had == nil || had.Message != c.Message) {
			r.warn(config, c.Reason, c.Message)
		}
	}
	return nil
}

func isOurs(conditionType string) bool {
	return conditionType == conditionRights || conditionType == conditionDefinition
}

// mergeConditions puts faults in the place of our conditions, and leaves those of others.
func mergeConditions(before, faults []metav1.Condition, generation int64) (next []metav1.Condition, changed bool) {
	next = []metav1.Condition{}
	for _, c := range before {
		if !isOurs(c.Type) || slices.ContainsFunc(faults, func(f metav1.Condition) bool { return f.Type == c.Type }) {
			next = append(next, c)
		} else {
			changed = true
		}
	}
	for _, fault := range faults {
		fault.Status, fault.ObservedGeneration = metav1.ConditionFalse, generation
		changed = meta.SetStatusCondition(&next, fault) || changed
	}
	return next, changed
}

// readConditions reads the conditions that an earlier process has left.
func (r *reconciler) readConditions(ctx context.Context, config *fedcorev1beta1.FederatedTypeConfig) ([]metav1.Condition, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(fedcorev1beta1.SchemeGroupVersion.WithKind("FederatedTypeConfig"))
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(config), u); err != nil {
		return nil, err
	}
	var read struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &read); err != nil {
		return nil, nil //nolint:nilerr // conditions of another form are written anew
	}
	return read.Status.Conditions, nil
}
