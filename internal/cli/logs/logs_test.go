package logs

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/lines"
)

func object(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(manifest), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestPodsOfAWorkloadAreThoseThatItSelects(t *testing.T) {
	for manifest, want := range map[string]target{
		"{apiVersion: v1, kind: Pod, metadata: {name: p}}":                                                                                   {pod: "p", ends: true},
		"{apiVersion: apps/v1, kind: Deployment, spec: {selector: {matchLabels: {a: b}}}}":                                                   {selector: "a=b"},
		"{apiVersion: v1, kind: Service, spec: {selector: {a: b}}}":                                                                          {selector: "a=b"},
		"{apiVersion: batch/v1, kind: Job, spec: {selector: {matchLabels: {a: b}}}}":                                                         {selector: "a=b"},
		"{apiVersion: batch/v1, kind: Job, spec: {selector: {matchLabels: {a: b}}}, status: {conditions: [{type: Failed, status: 'True'}]}}": {selector: "a=b", ends: true},
		"{apiVersion: x.io/v1, kind: Rollout, spec: {selector: {matchExpressions: [{key: a, operator: Exists}]}}}":                           {selector: "a"},
		"{apiVersion: x.io/v1, kind: Game, spec: {selector: {a: b}}}":                                                                        {selector: "a=b"},
		"{apiVersion: x.io/v1, kind: Scaled, status: {selector: 'a=b,c!=d'}}":                                                                {selector: "a=b,c!=d"},
	} {
		if got, err := targetOf(object(t, manifest)); err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", manifest, got, err, want)
		}
	}
	for _, manifest := range []string{
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}",
		"{apiVersion: v1, kind: Service, metadata: {name: external}}",
		"{apiVersion: v1, kind: ReplicationController, metadata: {name: empty}}",
		"{apiVersion: x.io/v1, kind: Odd, spec: {selector: {matchLabels: {}}}}",
		"{apiVersion: x.io/v1, kind: Odd, spec: {selector: {matchExpressions: [{key: a, operator: Near}]}}}",
		"{apiVersion: x.io/v1, kind: Odd, status: {selector: '((('}}",
	} {
		// Without an error it would be the pods of everybody.
		if got, err := targetOf(object(t, manifest)); err == nil {
			t.Errorf("%s: %+v", manifest, got)
		}
	}
}

func TestContainersThatAreMeant(t *testing.T) {
	pod := &corev1.Pod{}
	pod.Spec.InitContainers = []corev1.Container{{Name: "init"}}
	pod.Spec.Containers = []corev1.Container{{Name: "main"}, {Name: "side"}}
	for want, o := range map[string]*Options{
		"main":           {},
		"side":           {Container: "side"},
		"init main side": {AllContainers: true},
		"":               {Container: "none"},
	} {
		if got := strings.Join(o.containers(pod), " "); got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
	pod.Annotations = map[string]string{"kubectl.kubernetes.io/default-container": "side"}
	if got := (&Options{}).containers(pod); len(got) != 1 || got[0] != "side" {
		t.Errorf("%q", got)
	}
}

// A log that breaks off is read again from the second in which it was: lines that were
// printed are left out, and no other.
func TestALogIsTakenUpWhereItWas(t *testing.T) {
	at := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	line := func(seconds int, text string) lines.Line {
		return lines.Line{Time: at.Add(time.Duration(seconds) * time.Second), Text: []byte(text)}
	}
	var p place
	var got []string
	read := func(all ...lines.Line) {
		before, again := p, 0
		for _, l := range all {
			if !before.passed(l, &again) {
				p.advance(l)
				got = append(got, string(l.Text))
			}
		}
	}
	read(line(0, "a"), line(1, "b"), line(1, "c"))
	read(line(1, "b"), line(1, "c"), line(1, "d"), line(2, "e"))
	read(line(2, "e"))
	read(line(2, "e"), line(3, "f"))
	if strings.Join(got, "") != "abcdef" {
		t.Errorf("%q", got)
	}
}

func TestFlagsThatDoNotFitAreErrors(t *testing.T) {
	for _, o := range []*Options{
		{Tail: -1, MaxRequests: 1, Selector: "a=("},
		{Tail: -2, MaxRequests: 1, Selector: "a"},
		{Tail: -1, MaxRequests: 0, Selector: "a"},
		{Tail: -1, MaxRequests: 1, Selector: "a", Container: "c", AllContainers: true},
		{Tail: -1, MaxRequests: 1, Selector: "a", Follow: true, Previous: true},
		{Tail: -1, MaxRequests: 1, Selector: "a", SinceTime: "yesterday"},
		{Tail: -1, MaxRequests: 1},
	} {
		if err := o.complete(nil); err == nil {
			t.Errorf("%+v", o)
		}
	}
}
