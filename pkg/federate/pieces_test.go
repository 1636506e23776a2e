package federate

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
)

// The containers of clusters that share them are made once, and each cluster has what it
// would have alone.
func TestContainersAreEncodedOnce(t *testing.T) {
	overrides := make([]string, 9)
	for i := range overrides {
		path := "/spec/replicas"
		if i >= 6 { // these have containers of their own
			path = "/spec/template/spec/containers/0/image"
		}
		overrides[i] = fmt.Sprintf(`{"clusterName":"c%d","clusterOverrides":[{"op":"replace","path":%q,"value":%q}]}`, i, path, fmt.Sprint("v", i))
	}
	o := mustParse(t, `{metadata: {name: web, namespace: shop}, spec: {template: {spec: {replicas: 1, template: {spec: {
		initContainers: [{name: first, image: a}], containers: [{name: app, image: "b:1"}, {name: log, image: c, env: [{name: X}]}]}}}}, overrides: [`+strings.Join(overrides, ",")+`]}}`)
	shared, err := NewRenderer(o, deployments)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 30 {
		cluster := fmt.Sprint("c", i%10) // the tenth has no overrides
		all.Go(func() {
			alone, err := NewRenderer(o, deployments)
			if err != nil {
				t.Error(err)
				return
			}
			alone.pieces = nil
			if got, want := render(t, shared, cluster), render(t, alone, cluster); string(got.JSON) != string(want.JSON) || got.Hash != want.Hash {
				t.Errorf("%s: got %s, alone %s", cluster, got.JSON, want.JSON)
			}
		})
	}
	all.Wait()
	if got, want := len(shared.pieces.by), 3+3*3; got != want {
		t.Errorf("%d containers were encoded, want %d: three that are shared, and those of three clusters, of which an override reaches into the containers", got, want)
	}
}

// A container that cannot be encoded is an error of the object, and the next cluster's as well.
func TestContainersThatCannotBeEncoded(t *testing.T) {
	o := mustParse(t, `{metadata: {name: web, namespace: shop}, spec: {template: {spec: {template: {spec: {containers: [{name: app}]}}}},
		overrides: [{clusterName: c, clusterOverrides: [{path: /spec/replicas, value: 2}]}]}}`)
	spec := o.Template["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
	spec["containers"].([]any)[0].(map[string]any)["bad"] = math.NaN()
	r, err := NewRenderer(o, deployments)
	if err != nil {
		t.Fatal(err)
	}
	for _, cluster := range []string{"c", "other", "c"} {
		if _, err := r.For(cluster); err == nil || !strings.Contains(err.Error(), "cannot be written as JSON") {
			t.Errorf("%s: %v", cluster, err)
		}
	}
}

// Containers that are other ones each time do not fill the memory.
func TestPiecesAreBounded(t *testing.T) {
	p, longest := &pieces{}, 0
	same := func(container map[string]any) map[string]any { return container }
	for i := range 3 * mostPieces / aroundPiece {
		container := map[string]any{"name": strings.Repeat("x", i%2000)}
		if i%100 == 0 {
			container["name"] = strings.Repeat("x", 2*mostPieces) // larger than all may be
		}
		text, ok := p.of(container, same).(piece)
		if want := fmt.Sprintf(`{"name":%q}`, container["name"]); !ok || string(text) != want {
			t.Fatalf("container %d: got %.40s", i, text)
		}
		size := 0
		for _, made := range p.by {
			size += len(made.text) + aroundPiece
		}
		if longest = max(longest, size); size != p.size || size > mostPieces {
			t.Fatalf("container %d: %d bytes are remembered, counted %d", i, size, p.size)
		}
	}
	if longest < mostPieces/2 {
		t.Errorf("at most %d bytes were remembered", longest)
	}
}

// What is in each of many containers is one value in memory: it is not encoded for all of them
// where the object can be written in no case.
func TestContainersOfAnObjectThatIsTooLargeAreNotAllEncoded(t *testing.T) {
	for name, length := range map[string]int{"each fits": MostRendered / 10, "none fits": MostRendered + 1} {
		shared, containers := strings.Repeat("x", length), make([]any, 100)
		for i := range containers {
			containers[i] = map[string]any{"name": fmt.Sprint(i), "text": shared}
		}
		object := map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"initContainers": containers[:50], "containers": containers[50:]}}}}
		complete(deployments.GVK.GroupKind(), object, &pieces{})
		spec, encoded := ownPath(object, []string{"spec", "template", "spec"}), 0
		for _, field := range []string{"initContainers", "containers"} {
			for _, container := range spec[field].([]any) {
				text, _ := container.(piece)
				encoded += len(text)
			}
		}
		if encoded > 2*MostRendered {
			t.Errorf("%s: %d bytes were encoded", name, encoded)
		}
		if _, err := appendJSON(nil, object); !errors.Is(err, errTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
