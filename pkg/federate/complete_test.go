package federate

import (
	"encoding/json"
	"testing"

	"github.com/distribution/reference"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestComplete(t *testing.T) {
	const pods = `{spec: {template: {spec: `
	for name, test := range map[string]struct{ kind, before, after string }{
		"a new name of a service account":  {"apps/Deployment", pods + `{serviceAccountName: a}}}}`, pods + `{serviceAccountName: a, serviceAccount: a}}}}`},
		"an old name of a service account": {"apps/StatefulSet", pods + `{serviceAccount: a}}}}`, pods + `{serviceAccountName: a, serviceAccount: a}}}}`},
		"two names of service accounts":    {"apps/ReplicaSet", pods + `{serviceAccountName: a, serviceAccount: b}}}}`, pods + `{serviceAccountName: a, serviceAccount: a}}}}`},
		"an empty name":                    {"apps/ReplicaSet", pods + `{serviceAccountName: "", serviceAccount: b}}}}`, pods + `{serviceAccountName: b, serviceAccount: b}}}}`},
		"a name that is none":              {"apps/Deployment", pods + `{serviceAccountName: [a], serviceAccount: b}}}}`, pods + `{serviceAccountName: [a], serviceAccount: b}}}}`},
		"in a CronJob": {"batch/CronJob", `{spec: {jobTemplate: {spec: {template: {spec: {serviceAccount: a}}}}}}`,
			`{spec: {jobTemplate: {spec: {template: {spec: {serviceAccountName: a, serviceAccount: a}}}}}}`},
		"in something else": {"t.io/Deployment", pods + `{serviceAccount: a}}}}`, pods + `{serviceAccount: a}}}}`},

		"latest images": {"ReplicationController",
			pods + `{initContainers: [{image: "r:5000/i"}], containers: [{image: "i:latest"}, {image: "i:latest", imagePullPolicy: Never}, {image: "i:1"}, 7]}}}}`,
			pods + `{initContainers: [{image: "r:5000/i", imagePullPolicy: Always}], containers: [{image: "i:latest", imagePullPolicy: Always}, {image: "i:latest", imagePullPolicy: Never}, {image: "i:1", imagePullPolicy: IfNotPresent}, 7]}}}}`},
		"a container without an image": {"apps/Deployment", pods + `{containers: [{name: a}]}}}}`, pods + `{containers: [{name: a}]}}}}`},

		"a controller that names no pods":          {"ReplicationController", `{spec: {template: {metadata: {labels: {a: b}}}}}`, `{spec: {selector: {a: b}, template: {metadata: {labels: {a: b}}}}}`},
		"a controller that names pods":             {"ReplicationController", `{spec: {selector: {a: c}, template: {metadata: {labels: {a: b}}}}}`, `{spec: {selector: {a: c}, template: {metadata: {labels: {a: b}}}}}`},
		"a controller whose labels are none":       {"ReplicationController", `{spec: {template: {metadata: [a]}}}`, `{spec: {template: {metadata: [a]}}}`},
		"a controller whose selector is no object": {"ReplicationController", `{spec: {selector: a, template: {metadata: {labels: {a: b}}}}}`, `{spec: {selector: a, template: {metadata: {labels: {a: b}}}}}`},

		"a Service that routes":              {"Service", `{spec: {ports: []}}`, `{spec: {ports: [], internalTrafficPolicy: Cluster}}`},
		"a Service that says how":            {"Service", `{spec: {type: NodePort, internalTrafficPolicy: Local}}`, `{spec: {type: NodePort, internalTrafficPolicy: Local}}`},
		"a Service that is a name elsewhere": {"Service", `{spec: {type: ExternalName}}`, `{spec: {type: ExternalName}}`},
		"a Service without a spec":           {"Service", `{}`, `{}`},
		"a DaemonSet that says nothing":      {"apps/DaemonSet", `{spec: {}}`, `{spec: {updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1, maxSurge: 0}}}}`},
		"a DaemonSet that says it in part":   {"apps/DaemonSet", `{spec: {updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}}}`, `{spec: {updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}}}`},
		"a DaemonSet on deletion":            {"apps/DaemonSet", `{spec: {updateStrategy: {type: OnDelete}}}`, `{spec: {updateStrategy: {type: OnDelete}}}`},
		"a DaemonSet that cannot be read":    {"apps/DaemonSet", `{spec: {updateStrategy: fast}}`, `{spec: {updateStrategy: fast}}`},
		"images in volumes": {"PodTemplate", `{template: {spec: {volumes: [{name: a, image: {reference: i}}, {name: b, image: {reference: "i:1"}}, {name: c}]}}}`,
			`{template: {spec: {volumes: [{name: a, image: {reference: i, pullPolicy: Always}}, {name: b, image: {reference: "i:1", pullPolicy: IfNotPresent}}, {name: c}]}}}`},
		"pods that are none": {"apps/Deployment", `{spec: {template: {spec: [a]}}}`, `{spec: {template: {spec: [a]}}}`},
		"no pods":            {"apps/Deployment", `{spec: {template: 7}}`, `{spec: {template: 7}}`},

		"a policy that says nothing":          {"networking.k8s.io/NetworkPolicy", `{spec: {podSelector: {}}}`, `{spec: {podSelector: {}, policyTypes: [Ingress]}}`},
		"a policy with rules for egress":      {"networking.k8s.io/NetworkPolicy", `{spec: {policyTypes: [], egress: [{}]}}`, `{spec: {policyTypes: [Ingress, Egress], egress: [{}]}}`},
		"a policy with none for egress":       {"networking.k8s.io/NetworkPolicy", `{spec: {policyTypes: null, egress: []}}`, `{spec: {policyTypes: [Ingress], egress: []}}`},
		"a policy that says it":               {"networking.k8s.io/NetworkPolicy", `{spec: {policyTypes: [Egress]}}`, `{spec: {policyTypes: [Egress]}}`},
		"a policy that cannot be read":        {"networking.k8s.io/NetworkPolicy", `{spec: {policyTypes: Egress}}`, `{spec: {policyTypes: Egress}}`},
		"a policy without a spec":             {"networking.k8s.io/NetworkPolicy", `{}`, `{}`},
		"a Secret in clear text":              {"Secret", `{stringData: {a: x}}`, `{data: {a: eA==}}`},
		"a Secret of both, clear text counts": {"Secret", `{stringData: {a: x, c: null}, data: {a: YQ==, b: Yg==}}`, `{data: {a: eA==, b: Yg==, c: ""}}`},
		"a Secret without clear text":         {"Secret", `{stringData: {}, data: {b: Yg==}}`, `{data: {b: Yg==}}`},
		"a Secret of nothing":                 {"Secret", `{stringData: null}`, `{}`},
		"a Secret that cannot be read":        {"Secret", `{stringData: {a: 7}}`, `{stringData: {a: 7}}`},
		"a Secret with data that is none":     {"Secret", `{stringData: {a: x}, data: [a]}`, `{stringData: {a: x}, data: [a]}`},
	} {
		t.Run(name, func(t *testing.T) {
			source := object(t, test.before).Object
			before := must(json.Marshal(source))
			got := make(map[string]any, len(source))
			for key, value := range source {
				got[key] = value // as finish has it
			}
			complete(schema.ParseGroupKind(kindOf(test.kind)), got, nil)
			if diff := cmp.Diff(object(t, test.after).Object, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if after := string(must(json.Marshal(source))); after != string(before) {
				t.Errorf("the template was changed: %s", after)
			}
		})
	}
}

// kindOf turns group/kind into what ParseGroupKind reads.
func kindOf(name string) string {
	gk := schema.ParseGroupKind(name)
	for i := range name {
		if name[i] == '/' {
			gk = schema.GroupKind{Group: name[:i], Kind: name[i+1:]}
		}
	}
	return gk.String()
}

func TestIsLatest(t *testing.T) {
	const digest = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for image, want := range map[string]bool{
		"nginx": true, "nginx:latest": true, "r.io:5000/a/b": true, "r.io:5000/a/b:latest": true, "nginx:latest" + digest: true,
		"nginx:1": false, "nginx:1" + digest: false, "nginx" + digest: false, "": false, "NGINX": false, "a:b:c": false,
	} {
		if got := isLatest(image); got != want {
			t.Errorf("%q: got %t", image, got)
		}
	}
}

// What an image's name says at a glance is what parsing it says.
func TestIsLatestAtAGlance(t *testing.T) {
	digest := "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, image := range []string{
		"", "a", "a:latest", "a:1", "a" + digest, "a:latest" + digest, "a:1" + digest, "x:5000/a", "x:5000/a:latest", "x:5000/a:1", "x:5000/a" + digest,
		"A", "A:1", "a:", "a@", "a@b", "a:latest@", "a b", "a/b:c/d", ":latest", "a::latest", "x/y/z", "x/y/z:latest:1",
	} {
		want := false
		if named, err := reference.ParseNormalizedNamed(image); err == nil {
			tagged, hasTag := named.(reference.Tagged)
			_, hasDigest := named.(reference.Digested)
			want = hasTag && tagged.Tag() == "latest" || !hasTag && !hasDigest
		}
		if got := isLatest(image); got != want {
			t.Errorf("%q: got %t", image, got)
		}
	}
}
