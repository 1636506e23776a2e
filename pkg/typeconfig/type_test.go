package typeconfig

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/federate"
)

func typeConfig(name string, change func(*fedcorev1beta1.FederatedTypeConfigSpec)) *fedcorev1beta1.FederatedTypeConfig {
	config := &fedcorev1beta1.FederatedTypeConfig{
		ObjectMeta: metav1.ObjectMeta{Namespace: "fed", Name: name},
		Spec: fedcorev1beta1.FederatedTypeConfigSpec{
			TargetType:    fedcorev1beta1.APIResource{Version: "v1", Kind: "Deployment", Scope: "Namespaced"},
			Propagation:   fedcorev1beta1.PropagationEnabled,
			FederatedType: fedcorev1beta1.APIResource{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedDeployment", Scope: "Namespaced"},
		},
	}
	if change != nil {
		change(&config.Spec)
	}
	return config
}

func TestFromFederatedTypeConfig(t *testing.T) {
	enabled := fedcorev1beta1.StatusCollectionEnabled
	namespaces := typeConfig("namespaces", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) {
		spec.TargetType = fedcorev1beta1.APIResource{Version: "v1", Kind: "Namespace", Scope: "Cluster"}
		spec.FederatedType.Kind = "FederatedNamespace"
		spec.FederatedType.Scope = "Cluster" // KubeFed does not look at it
	})
	for _, test := range []struct {
		name    string
		config  *fedcorev1beta1.FederatedTypeConfig
		want    Type
		problem string
	}{
		{
			name:   "defaults come from the name",
			config: typeConfig("deployments.apps", nil),
			want: Type{
				Name: "deployments.apps",
				Target: Resource{
					GVR:        schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
					GVK:        schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"},
					Namespaced: true,
				},
				Federated: Resource{
					GVR:        schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1beta1", Resource: "federateddeployments"},
					GVK:        schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedDeployment"},
					Namespaced: true,
				},
			},
		},
		{
			name:   "namespaces are federated in themselves",
			config: namespaces,
			want: Type{
				Name: "namespaces",
				Target: Resource{
					GVR: schema.GroupVersionResource{Version: "v1", Resource: "namespaces"},
					GVK: schema.GroupVersionKind{Version: "v1", Kind: "Namespace"},
				},
				Federated: Resource{
					GVR:        schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1beta1", Resource: "federatednamespaces"},
					GVK:        schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedNamespace"},
					Namespaced: true,
				},
				IsNamespace: true,
			},
		},
		{
			name: "odd kinds",
			config: typeConfig("my-widgets.types.kubefed.io", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) {
				spec.TargetType.Kind, spec.FederatedType.Kind = "My-Widget", "FederatedMy-Widget"
				spec.StatusCollection = &enabled
			}),
			want: Type{
				Name: "my-widgets.types.kubefed.io",
				Target: Resource{
					GVR:        schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1", Resource: "my-widgets"},
					GVK:        schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1", Kind: "My-Widget"},
					Namespaced: true,
				},
				Federated: Resource{
					GVR:        schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1beta1", Resource: "federatedmy-widgets"},
					GVK:        schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedMy-Widget"},
					Namespaced: true,
				},
				StatusCollection: true,
			},
		},
		{
			name: "another name than the target's",
			config: typeConfig("deployments.apps", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) {
				spec.TargetType.Group, spec.TargetType.PluralName = "example.com", "deployments"
			}),
			problem: "FederatedTypeConfig fed/deployments.apps: metadata.name: Invalid value",
		},
		{
			name:    "no group",
			config:  typeConfig("deployments.apps", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) { spec.FederatedType.Group = "" }),
			problem: "spec.federatedType.group: Required value",
		},
		{
			name:    "group without a dot",
			config:  typeConfig("deployments.apps", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) { spec.FederatedType.Group = "types" }),
			problem: "spec.federatedType.group: Invalid value: \"types\"",
		},
		{
			name:    "no version",
			config:  typeConfig("deployments.apps", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) { spec.TargetType.Version = "" }),
			problem: "spec.targetType.version: Required value",
		},
		{
			name:    "kind of odd letters",
			config:  typeConfig("deployments.apps", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) { spec.TargetType.Kind = "Dep_loyment" }),
			problem: "spec.targetType.kind: Invalid value: \"Dep_loyment\"",
		},
		{
			name:    "scope",
			config:  typeConfig("deployments.apps", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) { spec.TargetType.Scope = "Everywhere" }),
			problem: "spec.targetType.scope: Unsupported value: \"Everywhere\"",
		},
		{
			name:    "propagation",
			config:  typeConfig("deployments.apps", func(spec *fedcorev1beta1.FederatedTypeConfigSpec) { spec.Propagation = "On" }),
			problem: "spec.propagation: Unsupported value: \"On\"",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := test.config.DeepCopy()
			got, err := FromFederatedTypeConfig(test.config)
			if diff := cmp.Diff(before, test.config); diff != "" {
				t.Errorf("the config was modified: %s", diff)
			}
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got error %v, want %q", err, test.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRenderTarget(t *testing.T) {
	gvk := schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
	got := Type{Target: Resource{GVK: gvk, Namespaced: true}}.RenderTarget()
	if want := (federate.Target{GVK: gvk, Namespaced: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
