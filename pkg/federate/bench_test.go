package federate

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// benchObject is a Deployment of ordinary size: two containers, probes,
// environment, volumes, and overrides for every second of 10 clusters.
func benchObject() string {
	env := `{"name":"A","value":"b"},{"name":"POD","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}`
	container := `{"name":"%s","image":"registry.example/app:1.2.3","env":[` + env + `],"ports":[{"containerPort":8080,"name":"http","protocol":"TCP"}],` +
		`"resources":{"limits":{"cpu":"1","memory":"1Gi"},"requests":{"cpu":"100m","memory":"128Mi"}},` +
		`"readinessProbe":{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":5},"volumeMounts":[{"mountPath":"/etc/app","name":"config"}]}`
	overrides := ""
	for i := 0; i < 10; i += 2 {
		if i > 0 {
			overrides += ","
		}
		overrides += fmt.Sprintf(`{"clusterName":"cluster-%d","clusterOverrides":[{"path":"/spec/replicas","value":%d},`+
			`{"op":"add","path":"/spec/template/spec/tolerations","value":[{"key":"nvidia.com/gpu","operator":"Exists"}]}]}`, i, i)
	}
	return `{"apiVersion":"types.kubefed.io/v1beta1","kind":"FederatedDeployment","metadata":{"name":"web","namespace":"shop","uid":"u","generation":3},` +
		`"spec":{"template":{"metadata":{"labels":{"app":"web","tier":"front"},"annotations":{"note":"text"}},"spec":{"replicas":3,` +
		`"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"creationTimestamp":null,"labels":{"app":"web"}},"spec":{"containers":[` +
		fmt.Sprintf(container, "app") + `,` + fmt.Sprintf(container, "sidecar") + `],"volumes":[{"name":"config","configMap":{"name":"app"}}]}}}},` +
		`"placement":{"clusterSelector":{"matchLabels":{"region":"eu"}}},"overrides":[` + overrides + `]},` +
		`"status":{"observedGeneration":3,"conditions":[{"type":"Propagation","status":"True"}],"clusters":[{"name":"cluster-0"},{"name":"cluster-1"}]}}`
}

func BenchmarkParse(b *testing.B) {
	u := object(b, benchObject())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(u); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkRender(b *testing.B, cluster string, sharedRenderer bool) {
	o := mustParse(b, benchObject())
	r, err := NewRenderer(o, deployments)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !sharedRenderer {
			if r, err = NewRenderer(o, deployments); err != nil {
				b.Fatal(err)
			}
		}
		rendered, err := r.For(cluster)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(rendered.JSON)))
	}
}

// BenchmarkRenderFirst is the first cluster of an object: the template is encoded.
func BenchmarkRenderFirst(b *testing.B) { benchmarkRender(b, "cluster-1", false) }

// BenchmarkRenderShared is every further cluster without overrides.
func BenchmarkRenderShared(b *testing.B) { benchmarkRender(b, "cluster-1", true) }

// BenchmarkRenderOverrides is every cluster with overrides.
func BenchmarkRenderOverrides(b *testing.B) { benchmarkRender(b, "cluster-4", true) }

// BenchmarkRenderFloor is what encoding/json takes to print the template.
func BenchmarkRenderFloor(b *testing.B) {
	o := mustParse(b, benchObject())
	b.ReportAllocs()
	for b.Loop() {
		data, err := json.Marshal(o.Template)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(data)))
	}
}

func BenchmarkFold(b *testing.B) {
	var outcomes []Outcome
	for i := range 100 {
		outcomes = append(outcomes, Outcome{Cluster: fmt.Sprintf("cluster-%03d", i), Version: "gen:1"})
	}
	previous, _ := Fold(FoldInput{Generation: 1, Outcomes: outcomes, Now: time.Unix(0, 0)})
	b.ReportAllocs()
	for b.Loop() {
		if _, changed := Fold(FoldInput{Previous: previous, Generation: 1, Outcomes: outcomes, Now: time.Unix(1, 0)}); changed {
			b.Fatal("changed")
		}
	}
}
