package enablement

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

func TestCallsKeptOnlyWhatIs(t *testing.T) {
	const enabled, disabled = fedcorev1beta1.StatusCollectionEnabled, fedcorev1beta1.StatusCollectionDisabled
	for _, test := range []struct {
		name        string
		annotations map[string]string
		asked       *fedcorev1beta1.StatusCollectionMode
		note        string
		want        fedcorev1beta1.StatusCollectionMode
	}{
		{"nothing is asked", nil, nil, "kept what was chosen for the type before it was disabled: statusCollection: Enabled\n", enabled},
		{"otherwise", nil, ptr.To(disabled), "", disabled},
		{"otherwise, and more was kept", map[string]string{"fedctl.io/ownership": "Exact"}, ptr.To(disabled), "kept what was chosen for the type before it was disabled: fedctl.io/ownership: Exact\n", disabled},
	} {
		t.Run(test.name, func(t *testing.T) {
			kept := &fedcorev1beta1.FederatedTypeConfig{ObjectMeta: metav1.ObjectMeta{Annotations: test.annotations}}
			kept.Spec.StatusCollection = ptr.To(enabled)
			var notes strings.Builder
			config := &fedcorev1beta1.FederatedTypeConfig{}
			(&Host{Notes: &notes}).chooseFor(config, Directive{Spec: DirectiveSpec{StatusCollection: test.asked}}, earlier{disabled: kept})
			if notes.String() != test.note || *config.Spec.StatusCollection != test.want || config.Annotations["fedctl.io/ownership"] != test.annotations["fedctl.io/ownership"] {
				t.Errorf("%q, %s, %v; want %q, %s", notes.String(), *config.Spec.StatusCollection, config.Annotations, test.note, test.want)
			}
		})
	}
}

func TestBelievesNoOtherFederatedType(t *testing.T) {
	wanted := TypeConfigFor(metav1.APIResource{Group: "example.com", Version: "v2", Kind: "Widget", Name: "widgets", Namespaced: true}, Directive{})
	kept := &fedcorev1beta1.FederatedTypeConfig{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"fedctl.io/ownership": "Exact", "bad key!": "x"}}}
	kept.Spec.StatusCollection = ptr.To(fedcorev1beta1.StatusCollectionEnabled)
	kept.Spec.TargetType.Version = "v1"
	kept.Spec.FederatedType = fedcorev1beta1.APIResource{Group: "elsewhere.example.com", Version: "v1", Kind: "FederatedOther", PluralName: "federatedothers"}
	want := chosen(kept)
	want.Spec.TargetType.Version = "v1"
	want.Spec.FederatedType = fedcorev1beta1.APIResource{Group: "types.kubefed.io", Version: "v1"}
	if got := believed(kept, wanted); !equality.Semantic.DeepEqual(got, want) || len(got.Annotations) != 1 {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := believed(nil, wanted); got != nil {
		t.Errorf("%+v of nothing", got)
	}
}

func TestSaysThatNothingIsKept(t *testing.T) {
	config := TypeConfigFor(metav1.APIResource{Version: "v1", Kind: "Service", Name: "services", Namespaced: true}, Directive{})
	for want, notKept := range map[string]error{"": nil, "enables it again if it is one of the default types": errors.New("may not")} {
		var out strings.Builder
		(&Host{Out: &out}).sayChosen(config, notKept)
		if !strings.Contains(out.String(), want) || (want == "") != (out.Len() == 0) {
			t.Errorf("%v: %q, want %q", notKept, out.String(), want)
		}
	}
}
