package manifests

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// What runs in a cluster is bounded there: Go gives memory back before the limit ends the
// process, what it writes has an end, it changes nothing of its container, and nobody reaches
// more of it than its metrics and its health.
func TestWhatRunsIsBounded(t *testing.T) {
	host, err := Build(Options{})
	if err != nil {
		t.Fatal(err)
	}
	member, err := ForMember(Options{}, MemberOptions{Rights: RightsSave, Executor: true})
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := FleetAPI(Options{}, FleetAPIOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, objects := range map[string][]*unstructured.Unstructured{"controller": host, "executor": member, "fleet-api": fleet} {
		t.Run(name, func(t *testing.T) {
			deployments := ofKind[appsv1.Deployment](t, objects, "Deployment")
			if len(deployments) != 1 {
				t.Fatalf("there are %d Deployments", len(deployments))
			}
			pod := deployments[0].Spec.Template
			for i := range pod.Spec.Containers {
				checkContainer(t, &pod.Spec.Containers[i])
			}
			for _, volume := range pod.Spec.Volumes {
				if volume.EmptyDir != nil && volume.EmptyDir.SizeLimit.IsZero() {
					t.Errorf("volume %s has no end", volume.Name)
				}
			}
			for _, policy := range ofKind[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy") {
				if len(policy.Spec.Ingress) == 1 && len(policy.Spec.Ingress[0].Ports) == 2 && selects(t, &policy.Spec.PodSelector, pod.Labels) {
					return
				}
			}
			t.Error("no NetworkPolicy bounds who reaches it")
		})
	}
	for _, objects := range [][]*unstructured.Unstructured{host, fleet} {
		deployment := ofKind[appsv1.Deployment](t, objects, "Deployment")[0]
		budgets := ofKind[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget")
		if len(budgets) != 1 || !selects(t, budgets[0].Spec.Selector, deployment.Spec.Template.Labels) {
			t.Errorf("%d PodDisruptionBudgets, none for %s", len(budgets), deployment.Name)
		}
	}
}

func checkContainer(t *testing.T, c *corev1.Container) {
	t.Helper()
	limit := c.Resources.Limits.Memory()
	var soft string
	for _, env := range c.Env {
		if env.Name == "GOMEMLIMIT" {
			soft = env.Value
		}
	}
	// As Go reads it; a quantity has no B.
	goLimit, err := resource.ParseQuantity(soft[:max(len(soft)-1, 0)])
	if err != nil || limit.IsZero() || goLimit.Cmp(*limit) >= 0 || goLimit.Value() < limit.Value()*8/10 {
		t.Errorf("container %s: GOMEMLIMIT %q, memory limit %s", c.Name, soft, limit)
	}
	if c.Resources.Limits.StorageEphemeral().IsZero() {
		t.Errorf("container %s may write without end", c.Name)
	}
	s := c.SecurityContext
	if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation {
		t.Errorf("container %s may change itself: %v", c.Name, s)
	}
}

func selects(t *testing.T, selector *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(labels.Set(of))
}

func ofKind[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) (found []T) {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
			t.Fatal(err)
		}
		found = append(found, typed)
	}
	return found
}
