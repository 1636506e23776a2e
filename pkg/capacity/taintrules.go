package capacity

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-logr/logr"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/pkg/accelerator/devices"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
)

// taintRuleVersions are those in which API servers serve DeviceTaintRules, the newest first.
// None is on by default before Kubernetes 1.37. What we read of them is the same in all.
var taintRuleVersions = []string{"v1", "v1beta2", "v1alpha3"}

var taintRuleResource = schema.GroupResource{Group: resourcev1.GroupName, Resource: "devicetaintrules"}

// newTaintRules returns a table of DeviceTaintRules; changed is told of news.
func newTaintRules(changed func()) *fleet.Table[devices.TaintRule] {
	same := func(before, after *devices.TaintRule) bool { return reflect.DeepEqual(before, after) }
	return fleet.NewTable(fleet.Rules[devices.TaintRule]{
		Read: func(object metav1.Object) (*devices.TaintRule, error) {
			u, ok := object.(*unstructured.Unstructured)
			if !ok {
				return nil, fmt.Errorf("a DeviceTaintRule is a %T", object)
			}
			return devices.TaintRuleOf(errtext.Bounded(u.GetName(), mostOfName), u.Object), nil
		},
		Weigh: (*devices.TaintRule).Weight, MostWeight: mostOfRules, Lighten: (*devices.TaintRule).Light,
		Same: same,
		OnChange: func(_ types.NamespacedName, before, after *devices.TaintRule) {
			if !same(before, after) { // most of what is told of them is whom they evict
				changed()
			}
		},
		OnSynced: changed,
	})
}

// followTaintRules begins to follow a member's DeviceTaintRules, until ctx ends.
func followTaintRules(ctx context.Context, client dynamic.Interface, served fleet.Discovery, cluster string, log logr.Logger, into *fleet.Table[devices.TaintRule], changed func()) *fleet.Watch[devices.TaintRule] {
	source := (&servedObjects{client: client, served: served, versions: taintRuleVersions, resource: taintRuleResource}).source()
	source.Name, source.Log, source.OnTrouble = "member "+cluster+": devicetaintrules", log, changed
	return fleet.Follow(ctx, source, into)
}

// withoutRules says which DeviceTaintRules are not carried out, and why; empty where all are,
// or the member has none.
func (d *drivers) withoutRules(count devices.Count) string {
	left := count.Rules
	if problem := d.rulesWatch.Problem(); problem != nil && !d.rulesWatch.Lacks() {
		left = append([]string{"DeviceTaintRules cannot be read, and those count that were known last: " + errtext.Stable(problem)}, left...)
	}
	return strings.Join(left, "; ")
}
