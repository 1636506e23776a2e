package placement

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func named(names ...string) Spec { return Spec{Clusters: names, HasClusters: true} }

func selecting(labels ...string) Spec {
	selector := &metav1.LabelSelector{}
	for _, pair := range labels {
		key, value, _ := strings.Cut(pair, "=")
		metav1.AddLabelToSelector(selector, key, value)
	}
	return Spec{ClusterSelector: selector}
}

func expression(key string, operator metav1.LabelSelectorOperator, values ...string) Spec {
	return Spec{ClusterSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: key, Operator: operator, Values: values},
	}}}
}

// Three clusters, out of order on purpose; c is not ready.
func fleet() []Cluster {
	return []Cluster{
		{Name: "c", Labels: map[string]string{"region": "eu", "gpu": "true"}},
		{Name: "a", Labels: map[string]string{"region": "eu"}, Ready: true},
		{Name: "b", Labels: map[string]string{"region": "us"}, Ready: true},
	}
}

func TestDecide(t *testing.T) {
	all := []string{"a", "b", "c"}
	for name, test := range map[string]struct {
		own        Spec
		namespaced bool
		namespace  *Spec
		limited    bool
		want       []string
		notFed     bool
	}{
		"nothing asked for":                        {want: nil},
		"a list":                                   {own: named("b", "a"), want: []string{"a", "b"}},
		"an empty list selects none":               {own: named(), want: nil},
		"a list with duplicates":                   {own: named("b", "b"), want: []string{"b"}},
		"a list beats a selector":                  {own: Spec{Clusters: []string{"b"}, HasClusters: true, ClusterSelector: &metav1.LabelSelector{}}, want: []string{"b"}},
		"an empty list beats a selector":           {own: Spec{HasClusters: true, ClusterSelector: &metav1.LabelSelector{}}, want: nil},
		"an empty selector selects all":            {own: selecting(), want: all},
		"a selector":                               {own: selecting("region=eu"), want: []string{"a", "c"}},
		"a selector with two labels":               {own: selecting("region=eu", "gpu=true"), want: []string{"c"}},
		"a selector that matches none":             {own: selecting("region=mars"), want: nil},
		"an expression In":                         {own: expression("region", metav1.LabelSelectorOpIn, "us", "mars"), want: []string{"b"}},
		"an expression NotIn":                      {own: expression("region", metav1.LabelSelectorOpNotIn, "us"), want: []string{"a", "c"}},
		"an expression Exists":                     {own: expression("gpu", metav1.LabelSelectorOpExists), want: []string{"c"}},
		"an expression DoesNotExist":               {own: expression("gpu", metav1.LabelSelectorOpDoesNotExist), want: []string{"a", "b"}},
		"unready clusters are selected":            {own: named("c"), want: []string{"c"}},
		"unknown names are not":                    {own: named("b", "nowhere"), want: []string{"b"}},
		"no FederatedNamespace":                    {own: selecting(), namespaced: true, want: nil, notFed: true},
		"no FederatedNamespace and no placement":   {namespaced: true, want: nil, notFed: true},
		"no FederatedNamespace, limited scope":     {own: selecting(), namespaced: true, limited: true, want: all},
		"FederatedNamespace bounds":                {own: selecting(), namespaced: true, namespace: new(named("a", "b")), want: []string{"a", "b"}},
		"FederatedNamespace bounds a list":         {own: named("b", "c"), namespaced: true, namespace: new(selecting("region=eu")), want: []string{"c"}},
		"FederatedNamespace does not add":          {own: named("b"), namespaced: true, namespace: new(selecting()), want: []string{"b"}},
		"FederatedNamespace without placement":     {own: selecting(), namespaced: true, namespace: &Spec{}, want: nil},
		"FederatedNamespace bounds, limited scope": {own: selecting(), namespaced: true, namespace: new(named()), limited: true, want: nil},
		"cluster-scoped types are not bounded":     {own: selecting(), namespace: new(named()), want: all},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decide(Input{Placement: test.own, Namespaced: test.namespaced, Namespace: test.namespace, LimitedScope: test.limited, Clusters: fleet()})
			if err != nil {
				t.Fatal(err)
			}
			if test.want == nil {
				test.want = []string{}
			}
			if diff := cmp.Diff(test.want, got.Clusters); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
			if got.NamespaceNotFederated != test.notFed {
				t.Errorf("NamespaceNotFederated is %v", got.NamespaceNotFederated)
			}
		})
	}
}

func TestUnknownClusters(t *testing.T) {
	got, err := Decide(Input{Placement: named("z", "a", "nowhere", "z", ""), Clusters: fleet()})
	if err != nil {
		t.Fatal(err)
	}
	want := []UnknownCluster{
		{Name: "z", Field: "spec.placement.clusters[0].name"},
		{Name: "nowhere", Field: "spec.placement.clusters[2].name"},
		{Name: "", Field: "spec.placement.clusters[4].name"},
	}
	if diff := cmp.Diff(want, got.Unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	// The names in a FederatedNamespace are that object's problem.
	got, _ = Decide(Input{Placement: named("a"), Namespaced: true, Namespace: new(named("a", "nowhere")), Clusters: fleet()})
	if len(got.Unknown) != 0 {
		t.Errorf("unknown: %v", got.Unknown)
	}
	// A list that a selector stands beside counts, one that is absent does not.
	got, _ = Decide(Input{Placement: Spec{Clusters: []string{"nowhere"}}, Clusters: fleet()})
	if len(got.Unknown) != 0 {
		t.Errorf("unknown: %v", got.Unknown)
	}
}

// said is all that a verdict says.
type said struct {
	cluster  string
	selected bool
	reason   Reason
	filter   string
	message  string
}

func saidBy(verdicts []Verdict) []said {
	var all []said
	for _, v := range verdicts {
		all = append(all, said{v.Cluster, v.Selected, v.Reason, v.Filter(), v.Message()})
	}
	return all
}

func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		in   Input
		want []said
	}{
		"by name": {
			in: Input{Placement: named("c", "a", "nowhere")},
			want: []said{
				{"a", true, ReasonNamed, "Names", "named in spec.placement.clusters"},
				{"b", false, ReasonNotNamed, "Names", "not named in spec.placement.clusters"},
				{"c", true, ReasonNamed, "Names", "named in spec.placement.clusters; the cluster is not ready, so changes wait until it is"},
				{"nowhere", false, ReasonNotJoined, "Names", "spec.placement.clusters[2].name names a cluster that is not joined: join it or remove the name"},
			},
		},
		"by selector": {
			in: Input{Placement: selecting("gpu=true", "region=eu")},
			want: []said{
				{"a", false, ReasonSelectorDoesNotMatch, "ClusterSelector", "spec.placement.clusterSelector asks for gpu=true and the cluster has no label gpu"},
				{"b", false, ReasonSelectorDoesNotMatch, "ClusterSelector", "spec.placement.clusterSelector asks for gpu=true and the cluster has no label gpu"},
				{"c", true, ReasonSelectorMatches, "ClusterSelector", "spec.placement.clusterSelector gpu=true,region=eu matches; the cluster is not ready, so changes wait until it is"},
			},
		},
		"by selector, another value": {
			in: Input{Placement: selecting("region=us")},
			want: []said{
				{"a", false, ReasonSelectorDoesNotMatch, "ClusterSelector", "spec.placement.clusterSelector asks for region=us and the cluster has the label region=eu"},
				{"b", true, ReasonSelectorMatches, "ClusterSelector", "spec.placement.clusterSelector region=us matches"},
				{"c", false, ReasonSelectorDoesNotMatch, "ClusterSelector", "spec.placement.clusterSelector asks for region=us and the cluster has the label region=eu"},
			},
		},
		"namespace elsewhere": {
			in: Input{Placement: named("a", "b"), Namespaced: true, Namespace: new(named("b"))},
			want: []said{
				{"a", false, ReasonNamespaceNotPlaced, "Namespace", "the object asks for the cluster, but its namespace is not placed there: not named in the FederatedNamespace's spec.placement.clusters"},
				{"b", true, ReasonNamed, "Names", "named in spec.placement.clusters"},
				{"c", false, ReasonNotNamed, "Names", "not named in spec.placement.clusters"},
			},
		},
		"namespace not federated": {
			in: Input{Placement: named("a"), Namespaced: true},
			want: []said{
				{"a", false, ReasonNamespaceNotFederated, "Namespace", "the object asks for the cluster, but its namespace is not federated: create a FederatedNamespace of the same name in it"},
				{"b", false, ReasonNotNamed, "Names", "not named in spec.placement.clusters"},
				{"c", false, ReasonNotNamed, "Names", "not named in spec.placement.clusters"},
			},
		},
		"empty placements": {
			in: Input{Placement: selecting(), Namespaced: true, Namespace: &Spec{}},
			want: []said{
				{"a", false, ReasonNamespaceNotPlaced, "Namespace", "the object asks for the cluster, but its namespace is not placed there: the FederatedNamespace's spec.placement has neither clusters nor clusterSelector, which selects no cluster"},
				{"b", false, ReasonNamespaceNotPlaced, "Namespace", "the object asks for the cluster, but its namespace is not placed there: the FederatedNamespace's spec.placement has neither clusters nor clusterSelector, which selects no cluster"},
				{"c", false, ReasonNamespaceNotPlaced, "Namespace", "the object asks for the cluster, but its namespace is not placed there: the FederatedNamespace's spec.placement has neither clusters nor clusterSelector, which selects no cluster"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.in.Clusters = fleet()
			got, err := Decide(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, saidBy(got.Verdicts), cmp.AllowUnexported(said{})); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInvalidSelectors(t *testing.T) {
	bad := expression("region", "Near", "eu")
	for name, test := range map[string]struct {
		in   Input
		want string // "" means no error
	}{
		"own selector":                        {Input{Placement: bad}, "spec.placement.clusterSelector: "},
		"own selector without a namespace":    {Input{Placement: bad, Namespaced: true}, "spec.placement.clusterSelector: "},
		"namespace's selector":                {Input{Placement: named("a"), Namespaced: true, Namespace: &bad}, "the FederatedNamespace's spec.placement.clusterSelector: "},
		"namespace's selector does not count": {Input{Placement: named("a"), Namespace: &bad}, ""},
		"beside a list it is not read":        {Input{Placement: Spec{HasClusters: true, ClusterSelector: bad.ClusterSelector}}, ""},
		"In without values":                   {Input{Placement: expression("region", metav1.LabelSelectorOpIn)}, "spec.placement.clusterSelector: "},
		"not a label key":                     {Input{Placement: expression("-/-", metav1.LabelSelectorOpExists)}, "spec.placement.clusterSelector: "},
		"not a label value":                   {Input{Placement: selecting("region=a b")}, "spec.placement.clusterSelector: "},
	} {
		t.Run(name, func(t *testing.T) {
			test.in.Clusters = fleet()
			got, err := Decide(test.in)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("error: %v", err)
			case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)):
				t.Errorf("error is %v, want one that starts with %q", err, test.want)
			case err != nil && len(got.Verdicts)+len(got.Clusters) != 0:
				t.Errorf("something was decided: %v", got)
			}
		})
	}
}

func TestInputIsNotModified(t *testing.T) {
	in := Input{Placement: named("c", "a"), Clusters: fleet()}
	if _, err := Decide(in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Input{Placement: named("c", "a"), Clusters: fleet()}, in); diff != "" {
		t.Errorf("input changed:\n%s", diff)
	}
}
