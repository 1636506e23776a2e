package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
)

// randomWorld makes objects and policies at random.
type randomWorld struct {
	*rand.Rand

	clusters []string
}

func pick[T any](w *randomWorld, from ...T) T { return from[w.IntN(len(from))] }

// some says yes one time in n.
func (w *randomWorld) some(n int) bool { return w.IntN(n) == 0 }

// object is a federated object; workloads among them run nothing.
func (w *randomWorld) object(namespace string, i int) *federated {
	name := "random-" + strconv.Itoa(i)
	var f *federated
	switch w.IntN(5) {
	case 0:
		f = configMap(namespace, name, fields{"plain": fmt.Sprint(w.IntN(9)), "config.yaml": "log:\n  level: info\nlist: [1, 2]\n", "config.json": `{"a":{"b":1}}`, "odd": "<&>ü\n\t\u007f"})
	case 1:
		f = federate("Secret", namespace, name, fields{"type": "Opaque", "data": fields{"main": "b25l"}})
	default:
		f = federate("Deployment", namespace, name, fields{"spec": fields{
			"replicas": w.IntN(5), "paused": true, "selector": fields{"matchLabels": fields{"app": "random"}},
			"template": fields{"metadata": fields{"labels": fields{"app": "random"}}, "spec": w.pod()},
		}})
	}
	f.SetLabels(map[string]string{"kind-of": pick(w, "a", "b", "c")})
	if w.some(4) {
		f.override(pick(w, w.clusters...), patch("add", "/metadata/labels", fields{"own": fmt.Sprint(w.IntN(3))}))
	}
	return f
}

func (w *randomWorld) pod() fields {
	containers := list{w.container("main")}
	if w.some(2) {
		containers = append(containers, w.container("second"))
	}
	pod := fields{"containers": containers}
	if w.some(3) {
		pod["initContainers"] = list{fields{"name": "first", "image": "busybox:1.37"}}
	}
	if w.some(3) {
		pod["tolerations"] = list{fields{"key": pick(w, "mine", "nvidia.com/gpu"), "operator": "Exists"}}
	}
	if w.some(3) {
		pod["resourceClaims"] = list{fields{"name": "device", "resourceClaimName": "device"}}
	}
	if w.some(4) {
		pod["affinity"] = fields{"nodeAffinity": fields{"requiredDuringSchedulingIgnoredDuringExecution": fields{"nodeSelectorTerms": list{
			fields{"matchExpressions": list{fields{"key": "zone", "operator": "In", "values": list{"a"}}}}, fields{"matchExpressions": list{fields{"key": "zone", "operator": "Exists"}}}}}}}
	}
	return pod
}

func (w *randomWorld) container(name string) fields {
	c := fields{"name": name, "image": pick(w, "nginx", "nginx:1.29", "registry.example/team/app:1.0", "registry.example:5000/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")}
	if w.some(2) {
		c["resources"] = fields{"limits": fields{pick(w, "nvidia.com/gpu", "amd.com/gpu", "nvidia.com/mig-1g.10gb", "memory"): pick(w, "0", "1", "2")}}
	}
	if w.some(2) {
		c["env"] = list{fields{"name": "A", "value": pick(w, "1", "<&>")}}
	}
	return c
}

// policy has one to three rules.
func (w *randomWorld) policy(namespace string, i int) fields {
	selector := fields{}
	switch {
	case i == 5:
		selector["kind"] = "ConfigMap"
	case w.some(2):
		selector["labelSelector"] = fields{"matchExpressions": list{fields{"key": "kind-of", "operator": "In", "values": list{pick(w, "a", "b"), "c"}}}}
		fallthrough
	default:
		selector["kind"] = "Deployment"
	}
	if i < 2 {
		selector["namespaces"] = list{namespace}
	}
	var rules list
	for range 1 + w.IntN(3) {
		rule := w.rule(i)
		switch {
		case i == 5:
			rule = w.dataRule()
		case i == 2 && len(rules) == 0: // one at least derives, from devices as well
			rules = append(rules, w.derivingRule())
			continue
		}
		if w.some(2) {
			rule["clusters"] = w.clusterSelector()
		}
		rules = append(rules, rule)
	}
	return fields{"selectors": list{selector}, "rules": rules}
}

func (w *randomWorld) clusterSelector() fields {
	switch w.IntN(4) {
	case 0:
		return fields{"names": list{pick(w, w.clusters...)}}
	case 1:
		return fields{"accelerator": pick(w, "nvidia.com/gpu", "amd.com/gpu")}
	case 2:
		return fields{"product": pick(w, "A100", "H100", "GB200")}
	}
	return fields{"kubernetesVersion": pick(w, ">=1.30", "<1.30")}
}

// dataRule is one for ConfigMaps.
func (w *randomWorld) dataRule() fields {
	n := w.IntN(100)
	return fields{"annotations": fields{"n": fmt.Sprint(n)}, "patches": list{
		fields{"op": "replace", "path": "/log/level", "value": fmt.Sprint(n), "in": fields{"path": "/data/config.yaml", "format": "YAML"}},
		fields{"op": "add", "path": "/list/-", "value": n, "in": fields{"path": "/data/config.yaml", "format": "YAML"}},
		fields{"op": "add", "path": "/a/c", "value": fields{"n": n}, "in": fields{"path": "/data/config.json", "format": "JSON"}},
	}}
}

// derivingRule derives tolerations, also of what a tenant has tainted.
func (w *randomWorld) derivingRule() fields {
	return fields{"deriveTolerations": fields{"requireNodes": w.some(2), "approve": list{fields{"key": "dedicated", "value": "gpuGroup", "effect": "NoSchedule"}}}}
}

// rule is one for workloads, of all that rules can do.
func (w *randomWorld) rule(i int) fields {
	n := strconv.Itoa(i)
	all := []fields{
		w.derivingRule(),
		{"deriveTolerations": fields{}},
		{"tolerations": list{fields{"key": "spot", "value": n, "effect": "NoSchedule"}, fields{"key": "mine", "operator": "Exists"}}},
		{"images": list{fields{"registry": "mirror-" + n + ".example:5000"}}},
		{"images": list{fields{"from": "docker.io/library/nginx", "tag": "2." + n}}},
		{"env": list{fields{"name": pick(w, "A", "B"), "value": n}, fields{"name": "NODE", "valueFrom": fields{"fieldRef": fields{"fieldPath": "spec.nodeName"}}}}},
		{"containers": list{pick(w, "main", "second")}, "env": list{fields{"name": "CPUS", "valueFrom": fields{"resourceFieldRef": fields{"resource": "limits.cpu"}}}}},
		{"envFrom": list{fields{"secretRef": fields{"name": "team-" + n}}, fields{"prefix": "C_", "configMapRef": fields{"name": "c"}}}},
		{"volumes": list{fields{"name": "v" + n, "emptyDir": fields{}}}, "volumeMounts": list{fields{"name": "v" + n, "mountPath": "/v" + n}}},
		{"initContainers": list{fields{"name": "init-" + n, "image": "busybox:1.37"}, fields{"name": "native-" + n, "image": "proxy", "restartPolicy": "Always"}}},
		{"sidecars": list{fields{"name": "side-" + n, "image": "proxy:1"}}},
		{"containers": list{"main"}, "resources": fields{"requests": fields{"cpu": "10" + n + "m"}, "limits": fields{"memory": "1Gi"}}},
		{"containers": list{"main"}, "command": list{"sh", "-c"}, "args": list{"sleep " + n}},
		{"nodeSelector": fields{"pool": n}, "priorityClassName": "class-" + n, "schedulerName": "scheduler-" + n, "runtimeClassName": "runtime-" + n},
		{"labels": fields{"l": n}, "annotations": fields{"a": "<&>" + n}, "replicas": w.IntN(7)},
		{"patches": list{fields{"op": "add", "path": "/spec/minReadySeconds", "value": w.IntN(60)}}},
	}
	rule := fields{}
	for key, value := range pick(w, all...) {
		rule[key] = value
	}
	return rule
}
