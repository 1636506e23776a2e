package autoscaler_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/autoscaler"
)

func kind(t *testing.T, name string) *autoscaler.Kind {
	t.Helper()
	for _, k := range autoscaler.Kinds() {
		if k.Kind == name {
			return &k
		}
	}
	t.Fatal("there is no kind " + name)
	return nil
}

func TestTargets(t *testing.T) {
	web := autoscaler.Target{GroupKind: schema.GroupKind{Group: "apps", Kind: "Deployment"}, Name: "web"}
	const hpa, keda, vpa = "HorizontalPodAutoscaler", "ScaledObject", "VerticalPodAutoscaler"
	for name, test := range map[string]struct {
		kind, object string
		want         autoscaler.Target
	}{
		"an autoscaler":                {hpa, `spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}`, web},
		"another version of the group": {hpa, `spec: {scaleTargetRef: {apiVersion: apps/v1beta2, kind: Deployment, name: web}}`, web},
		"another group":                {hpa, `spec: {scaleTargetRef: {apiVersion: extensions/v1beta1, kind: Deployment, name: web}}`, autoscaler.Target{GroupKind: schema.GroupKind{Group: "extensions", Kind: "Deployment"}, Name: "web"}},
		"without a version it is core": {hpa, `spec: {scaleTargetRef: {kind: ReplicationController, name: web}}`, autoscaler.Target{GroupKind: schema.GroupKind{Kind: "ReplicationController"}, Name: "web"}},
		"scales from zero":             {hpa, `spec: {minReplicas: 0, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}`, web},
		"without a kind":               {hpa, `spec: {scaleTargetRef: {apiVersion: apps/v1, name: web}}`, autoscaler.Target{}},
		"without a name":               {hpa, `spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment}}`, autoscaler.Target{}},
		"without a target":             {hpa, `spec: {}`, autoscaler.Target{}},
		"a target that is none":        {hpa, `spec: {scaleTargetRef: [web]}`, autoscaler.Target{}},
		"a version that is none":       {hpa, `spec: {scaleTargetRef: {apiVersion: a/b/c, kind: Deployment, name: web}}`, autoscaler.Target{}},
		"a name that is none":          {hpa, `spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ` + strings.Repeat("w", 300) + `}}`, autoscaler.Target{}},
		"KEDA's":                       {keda, `spec: {scaleTargetRef: {name: web}}`, web},
		"KEDA's, of another kind":      {keda, `spec: {scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: web}}`, autoscaler.Target{GroupKind: schema.GroupKind{Group: "argoproj.io", Kind: "Rollout"}, Name: "web"}},
		"vertical":                     {vpa, `spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}`, web},
		"vertical, automatic":          {vpa, `spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, updatePolicy: {updateMode: InPlaceOrRecreate}}`, web},
		"vertical, but it only tells":  {vpa, `spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, updatePolicy: {updateMode: "Off"}}`, autoscaler.Target{}},
	} {
		t.Run(name, func(t *testing.T) {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(test.object), &object); err != nil {
				t.Fatal(err)
			}
			got := kind(t, test.kind).TargetOf(object)
			if got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestTitles(t *testing.T) {
	const keda, by = "keda.sh/v1alpha1", "ScaledObject"
	for name, test := range map[string]struct {
		kind  string
		owner metav1.OwnerReference
		want  string
	}{
		"by itself":                {"ScaledObject", metav1.OwnerReference{}, "ScaledObject web"},
		"made by another":          {"HorizontalPodAutoscaler", metav1.OwnerReference{APIVersion: keda, Kind: by, Name: "queue", Controller: new(true)}, "ScaledObject queue"},
		"of another version":       {"HorizontalPodAutoscaler", metav1.OwnerReference{APIVersion: "keda.sh/v2", Kind: by, Name: "queue", Controller: new(true)}, "ScaledObject queue"},
		"that does not make it":    {"HorizontalPodAutoscaler", metav1.OwnerReference{APIVersion: keda, Kind: by, Name: "queue"}, "HorizontalPodAutoscaler web"},
		"of another group":         {"HorizontalPodAutoscaler", metav1.OwnerReference{APIVersion: "example.com/v1", Kind: by, Name: "queue", Controller: new(true)}, "HorizontalPodAutoscaler web"},
		"of another kind":          {"HorizontalPodAutoscaler", metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "queue", Controller: new(true)}, "HorizontalPodAutoscaler web"},
		"of a group that is none":  {"HorizontalPodAutoscaler", metav1.OwnerReference{APIVersion: "a/b/c", Kind: by, Name: "queue", Controller: new(true)}, "HorizontalPodAutoscaler web"},
		"a kind that nobody makes": {"VerticalPodAutoscaler", metav1.OwnerReference{APIVersion: "v1", Kind: "", Name: "queue", Controller: new(true)}, "VerticalPodAutoscaler web"},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			u.SetName("web")
			u.SetOwnerReferences([]metav1.OwnerReference{test.owner})
			if got := kind(t, test.kind).Title(u); got != test.want {
				t.Errorf("got %q", got)
			}
		})
	}
}
