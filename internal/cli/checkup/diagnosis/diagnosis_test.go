package diagnosis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

var now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// sound is a federation with nothing wrong.
func sound() Input {
	return Input{
		Namespace: "kube-federation-system", Now: now, Version: "v1.2.3", Installed: true, Leader: "pod-1",
		Controller: &Deployment{Name: "fedctl-controller", Want: 2, Ready: 2, Image: "example.com:5000/fedctl/controller:v1.2.3"},
		Clusters:   []Cluster{{Object: cluster("berlin", corev1.ConditionTrue, "ClusterReady", "ok", "2030-01-01T20:00:00Z"), TokenKnown: true, TokenLifetime: 10 * time.Hour}},
		Types:      []Type{{Name: "configmaps", Definition: "federatedconfigmaps.types.kubefed.io", Enabled: true, Defined: true, Running: true}},
		Shipped:    []Shipped{{Kind: "ClusterRole", Name: "x"}},
		Troubles:   &Troubles{},
	}
}

func cluster(name string, ready corev1.ConditionStatus, reason, message, expires string) fedcorev1beta1.KubeFedCluster {
	c := fedcorev1beta1.KubeFedCluster{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if expires != "" {
		c.Annotations = map[string]string{"fedctl.io/token-expires": expires}
	}
	if ready != corev1.ConditionUnknown {
		c.Status.Conditions = []fedcorev1beta1.ClusterCondition{{Type: fedcommon.ClusterReady, Status: ready, Reason: ptr.To(reason), Message: ptr.To(message),
			LastTransitionTime: &metav1.Time{Time: now.Add(-time.Hour)}}}
	}
	return c
}

func lines(r Report) []string {
	var out []string
	for _, f := range r.Findings {
		since := ""
		if f.Since != nil {
			since = " since " + f.Since.UTC().Format("15:04")
		}
		out = append(out, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s%s", f.Level, f.Code, f.Subject, strings.Join(f.Objects, ","), since)), " "))
		if f.Do == "" || f.Message == "" {
			out = append(out, f.Code+" says nothing, or helps nobody")
		}
	}
	return out
}

func TestDiagnose(t *testing.T) {
	for name, test := range map[string]struct {
		change func(in *Input)
		want   []string
	}{
		"all is well": {func(*Input) {}, nil},
		"no control plane": {func(in *Input) { *in = Input{Namespace: "x", Now: now} },
			[]string{"failure not-installed kubefedconfig x/kubefed"}},
		"settings that no controller takes": {func(in *Input) { in.ConfigError = "no" },
			[]string{"failure settings-refused kubefedconfig kube-federation-system/kubefed"}},
		"KubeFed runs as well": {func(in *Input) { in.KubeFed = &Deployment{Want: 1} },
			[]string{"failure two-controllers deployment kubefed-controller-manager"}},
		"a controller that is not ready": {func(in *Input) { in.Controller.Ready = 1 },
			[]string{"warning controller-not-ready deployment fedctl-controller"}},
		"no controller is ready": {func(in *Input) {
			in.Controller.Ready, in.NoLeaderSince, in.Leader = 0, ptr.To(now.Add(-time.Minute)), ""
		},
			[]string{"failure controller-not-ready deployment fedctl-controller", "failure no-leader lease fedctl-controller since 11:59"}},
		"a controller that is stopped": {func(in *Input) { in.Controller.Want, in.Controller.Ready = 0, 0 },
			[]string{"warning controller-stopped deployment fedctl-controller"}},
		"no controller anywhere":        {func(in *Input) { in.Controller, in.Leader = nil, "" }, []string{"warning no-controller deployment fedctl-controller"}},
		"a controller somewhere else":   {func(in *Input) { in.Controller = nil }, nil},
		"another version":               {func(in *Input) { in.Version = "v1.3.0" }, []string{"note versions-differ deployment fedctl-controller"}},
		"a build that knows no version": {func(in *Input) { in.Version = "devel" }, nil},
		"what cannot be read": {func(in *Input) {
			in.Unread = []Unread{{Kind: "Role", Object: "a"}, {Kind: "Role", Object: "b"}, {Kind: "Role", Object: "c", Why: "no answer"}, {Kind: "KubeFedCluster"}, {Kind: "Lease", Object: "x"}}
			in.Clusters, in.Controller, in.Leader = nil, nil, ""
		}, []string{"warning unreadable kubefedcluster", "warning unreadable lease x", "warning unreadable role a,b", "warning unreadable role c"}},
		"a Lease that cannot be read":    {func(in *Input) { in.Leader, in.Unread = "", []Unread{{Kind: "Lease", Object: "x"}} }, []string{"warning unreadable lease x"}},
		"settings that cannot be read":   {func(in *Input) { in.Unread = []Unread{{Kind: "KubeFedConfig", Object: "x/kubefed"}} }, []string{"warning unreadable kubefedconfig x/kubefed"}},
		"nobody has joined":              {func(in *Input) { in.Clusters = nil }, []string{"note no-clusters"}},
		"a definition is missing":        {func(in *Input) { in.Shipped = []Shipped{{Kind: "CustomResourceDefinition", Name: "x", Missing: true}} }, []string{"failure definition-missing customresourcedefinition x"}},
		"rights are missing":             {func(in *Input) { in.Shipped = []Shipped{{Kind: "ClusterRole", Name: "x", Missing: true}} }, []string{"failure role-missing clusterrole x"}},
		"a policy is missing":            {func(in *Input) { in.Shipped = []Shipped{{Kind: "ValidatingAdmissionPolicy", Name: "x", Missing: true}} }, []string{"warning policy-missing validatingadmissionpolicy x"}},
		"a definition of other versions": {func(in *Input) { in.Shipped = []Shipped{{Kind: "CustomResourceDefinition", Name: "x", Differs: true}} }, []string{"warning other-version customresourcedefinition x"}},
		"a type without its definition":  {func(in *Input) { in.Types[0].Defined = false }, []string{"failure type-without-definition federatedtypeconfig configmaps"}},
		"a type that does not run":       {func(in *Input) { in.Types[0].Running = false }, []string{"failure type-not-running federatedtypeconfig configmaps"}},
		"a type that is disabled":        {func(in *Input) { in.Types[0].Running, in.Types[0].Enabled = false, false }, nil},
		"a type without rights": {func(in *Input) {
			in.Types[0].Conditions = []metav1.Condition{{Type: "MemberRights", Status: "False", Reason: "RightsMissing", Message: "fedctl join", LastTransitionTime: metav1.NewTime(now)}}
		}, []string{"warning rights-missing federatedtypeconfig configmaps since 12:00"}},
		"policies": {func(in *Input) {
			in.Policies = []Policy{
				{Kind: "OverridePolicy", Namespace: "shop", Name: "a", Conditions: policyConditions("False Invalid", "False Invalid", "False Uncontested")},
				{Kind: "OverridePolicy", Namespace: "shop", Name: "b", Conditions: policyConditions("True SelectsNothing", "True SelectsNothing", "False Uncontested")},
				{Kind: "OverridePolicy", Namespace: "shop", Name: "c", Conditions: policyConditions("True Accepted", "False Failed", "True SetByAnother")},
				{Kind: "OverridePolicy", Namespace: "shop", Name: "d", Conditions: policyConditions("True Accepted", "False Propagating", "False Uncontested")},
				{Kind: "ClusterOverridePolicy", Name: "e", Conditions: policyConditions("True Accepted", "True Restricted", "False Uncontested")},
				{Kind: "ClusterOverridePolicy", Name: "f", Conditions: policyConditions("True Unmatched", "True Unmatched", "False Uncontested")},
			}
		}, []string{
			"failure failed overridepolicy shop/c since 00:00", "failure invalid overridepolicy shop/a since 00:00",
			"warning propagating overridepolicy shop/d since 00:00", "warning set-by-another overridepolicy shop/c since 00:00",
			"note selects-nothing overridepolicy shop/b since 00:00", "note unmatched clusteroverridepolicy f since 00:00",
		}},
	} {
		in := sound()
		test.change(&in)
		r := Diagnose(in)
		if diff := cmp.Diff(test.want, lines(r)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if failed := strings.Contains(strings.Join(lines(r), "\n"), "failure "); r.Healthy == failed {
			t.Errorf("%s: healthy %v", name, r.Healthy)
		}
	}
}

// awaiting is a cluster that an import has brought.
func awaiting(c fedcorev1beta1.KubeFedCluster) fedcorev1beta1.KubeFedCluster {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[reach.AwaitsJoinAnnotation] = "true"
	return c
}

func TestDiagnoseClusters(t *testing.T) {
	in := sound()
	is := corev1.ConditionTrue
	in.Clusters = []Cluster{
		{Object: cluster("away", corev1.ConditionFalse, "ClusterNotReachable", "no answer", ""), TokenKnown: true},
		{Object: cluster("new", corev1.ConditionUnknown, "", "", "")},
		{Object: awaiting(cluster("imported", corev1.ConditionUnknown, "", "", ""))},
		{Object: awaiting(cluster("imported-and-looked-at", corev1.ConditionFalse, "ClusterNotReady", "no Secret", ""))},
		{Object: cluster("static", is, "", "", ""), TokenKnown: true},
		{Object: cluster("secret-unread", is, "", "", "")},
		{Object: cluster("plugin", is, "", "", "2030-01-01T12:30:00Z")},
		{Object: cluster("ended", is, "", "", "2030-01-01T11:00:00Z"), TokenKnown: true, TokenLifetime: time.Hour},
		{Object: cluster("late", is, "", "", "2030-01-01T12:10:00Z"), TokenKnown: true, TokenLifetime: time.Hour},
		{Object: cluster("in-time", is, "", "", "2030-01-01T12:31:00Z"), TokenKnown: true, TokenLifetime: time.Hour},
		{Object: cluster("ends", is, "", "", "2030-01-10T12:00:00Z"), TokenKnown: true},
		{Object: cluster("admin", is, "", "", "2031-01-01T12:00:00Z"), TokenKnown: true, Everything: true},
		{Object: cluster("shared", is, "", "", "2031-01-01T12:00:00Z"), TokenKnown: true, Others: []string{"kube-federation-system/a-b"}},
		{Object: cluster("mute", is, "", "", "2031-01-01T12:00:00Z"), TokenKnown: true, Silent: "no answer"},
		{Object: cluster("slow", is, "", "", "2031-01-01T12:00:00Z"), TokenKnown: true, Skew: -time.Minute},
	}
	said := func(reason string) []metav1.Condition {
		return []metav1.Condition{{Status: metav1.ConditionFalse, Reason: reason, Message: "why", LastTransitionTime: metav1.NewTime(now.Add(-time.Hour))}}
	}
	in.Capacities = []Capacity{{Name: "plugin", Conditions: said("NodesUnreadable")}, {Name: "shared", Conditions: said("NotFollowed")}, {Name: "away", Conditions: said("NodesUnreadable")}}
	if diff := cmp.Diff([]string{
		"failure cluster-awaits-join kubefedcluster imported",
		"failure cluster-awaits-join kubefedcluster imported-and-looked-at",
		"failure cluster-not-probed kubefedcluster new",
		"failure cluster-not-ready kubefedcluster away since 11:00",
		"failure token-expired kubefedcluster ended since 11:00",
		"warning another-host kubefedcluster shared",
		"warning clock-skew kubefedcluster slow",
		"warning cluster-silent kubefedcluster mute",
		"warning may-do-everything kubefedcluster admin",
		"warning nodes-unreadable clustercapacity plugin since 11:00",
		"warning token-expires kubefedcluster ends",
		"warning token-not-renewed kubefedcluster late",
		"note token-never-expires kubefedcluster static",
	}, lines(Diagnose(in))); diff != "" {
		t.Error(diff)
	}
}

func federated(name, status string, deleted bool) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"template": map[string]any{}}}}
	u.SetNamespace("shop")
	u.SetName(name)
	u.SetGeneration(2)
	if deleted {
		u.SetDeletionTimestamp(&metav1.Time{Time: now.Add(-time.Hour)})
	}
	clusters := []any{map[string]any{"name": "berlin", "status": status, "message": "why " + name}}
	if status == "" {
		clusters = []any{map[string]any{"name": "berlin"}}
	}
	u.Object["status"] = map[string]any{"observedGeneration": int64(2), "clusters": clusters,
		"conditions": []any{map[string]any{"type": "Propagation", "status": "False", "reason": "CheckClusters", "lastTransitionTime": "2030-01-01T10:00:00Z"}}}
	return u
}

// Objects are told of by what is wrong with them, however many there are.
func TestDiagnoseObjects(t *testing.T) {
	in := sound()
	typ := &typeconfig.Type{Name: "configmaps", Federated: typeconfig.Resource{
		GVK: schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedConfigMap"},
		GVR: schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1beta1", Resource: "federatedconfigmaps"}}}
	odd := federated("odd", "", false)
	odd.Object["status"].(map[string]any)["conditions"] = []any{map[string]any{"type": "Propagation", "status": "True", "lastTransitionTime": "2030-01-01T08:00:00Z"},
		map[string]any{"type": "Accepted", "status": "False", "reason": "PartlyIgnored", "message": "odd", "lastTransitionTime": "2030-01-01T09:00:00Z"}}
	unseen := federated("unseen", "", false)
	unseen.SetGeneration(3)
	unseen.Object["status"].(map[string]any)["conditions"] = []any{map[string]any{"type": "Propagation", "status": "True"}}
	for _, u := range []*unstructured.Unstructured{
		federated("b", "CreationFailed", false), federated("a", "CreationFailed", false), federated("c", "ClusterNotReady", false),
		federated("d", "ManagedLabelFalse", false), federated("e", "DeletionFailed", true), unseen, odd,
	} {
		in.Troubles.Add(typ, u, now)
	}
	r := Diagnose(in)
	const subject = " federatedconfigmaps.types.kubefed.io "
	if diff := cmp.Diff([]string{
		"failure creation-failed" + subject + "shop/a,shop/b since 10:00",
		"failure deleting" + subject + "shop/e since 11:00",
		"failure deletion-failed" + subject + "shop/e since 11:00",
		"warning cluster-not-ready" + subject + "shop/c since 10:00",
		"warning partly-ignored" + subject + "shop/odd since 09:00",
		"warning pending" + subject + "shop/unseen",
		"note managed-label-false" + subject + "shop/d since 10:00",
	}, lines(r)); diff != "" {
		t.Error(diff)
	}
	if r.Objects != 7 {
		t.Errorf("looked at %d objects", r.Objects)
	}
	for _, f := range r.Findings {
		if f.Code == "creation-failed" && (f.Message != "2 objects in berlin; b says: why b" || f.Do != "fedctl explain configmaps b -n shop") {
			t.Errorf("says %q, %q", f.Message, f.Do)
		}
	}
}

// Autoscalers that cannot be read matter where there is something to scale.
func TestDiagnoseAutoscalers(t *testing.T) {
	const subject = " federateddeployments.types.kubefed.io "
	typ := &typeconfig.Type{Name: "deployments.apps", Federated: typeconfig.Resource{
		GVK: schema.GroupVersionKind{Group: "types.kubefed.io", Version: "v1beta1", Kind: "FederatedDeployment"},
		GVR: schema.GroupVersionResource{Group: "types.kubefed.io", Version: "v1beta1", Resource: "federateddeployments"}}}
	for name, test := range map[string]struct {
		spec, autoscaling map[string]any
		want              []string
	}{
		"with replicas":    {map[string]any{"replicas": int64(2)}, nil, []string{"warning autoscalers-unreadable kubefedcluster berlin"}},
		"without replicas": {map[string]any{}, nil, nil},
		"that somebody has set": {map[string]any{"replicas": int64(2)}, map[string]any{"replicas": "Unreadable", "templateReplicas": int64(2), "message": "no right"},
			[]string{"warning autoscalers-unreadable" + subject + "shop/web", "warning autoscalers-unreadable kubefedcluster berlin"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := sound()
			in.Clusters[0].AutoscalersUnread = "horizontalpodautoscalers.autoscaling cannot be read: no right"
			u := federated("web", "", false)
			u.Object["spec"] = map[string]any{"template": map[string]any{"spec": test.spec}}
			status := map[string]any{"name": "berlin"}
			if test.autoscaling != nil {
				status["autoscaling"] = test.autoscaling
			}
			u.Object["status"] = map[string]any{"observedGeneration": int64(2), "clusters": []any{status},
				"conditions": []any{map[string]any{"type": "Propagation", "status": "True"}}}
			in.Troubles.Add(typ, u, now)
			if diff := cmp.Diff(test.want, lines(Diagnose(in))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// policyConditions are those of a policy, in their order.
func policyConditions(accepted, applied, contested string) (conditions []metav1.Condition) {
	for i, said := range []string{accepted, applied, contested} {
		status, reason, _ := strings.Cut(said, " ")
		conditions = append(conditions, metav1.Condition{
			Type: []string{"Accepted", "Applied", "Contested"}[i], Status: metav1.ConditionStatus(status), Reason: reason, Message: "m",
		})
	}
	return conditions
}
