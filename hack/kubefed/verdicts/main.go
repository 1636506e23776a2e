// Verdicts prints what KubeFed v0.10.0's own code accepts and refuses: for each
// variant of the objects below a line with the object and the reason, if it is
// refused. A suite has fedctl's rules judge the same objects.
//
//	cd hack/kubefed && go run ./verdicts > ../../internal/cli/install/testdata/kubefed-verdicts.jsonl
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/kubefed/pkg/apis/core/v1beta1/defaults"
	"sigs.k8s.io/kubefed/pkg/apis/core/v1beta1/validation"
	"sigs.k8s.io/yaml"
)

// variants are objects that differ from a good one in one field each.
type variants struct {
	kind, good string
	// fields are paths, with dots, and the values they take, as YAML.
	fields map[string][]string
}

var names = []string{`""`, `a`, `a-b`, `A`, `a_b`, `a.b`, `-a`, `"1a"`, `a1`, `a-`, `abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl`}

var groups = []string{`""`, `a`, `a.b`, `a.b.c`, `A.b`, `a_b.c`, `a..b`, `.a`, `a.`, `-a.b`, `a.1`}

var times = []string{`0s`, `1ns`, `1s`, `-1s`, `1m30s`, `500h`}

var counts = []string{`0`, `1`, `-1`, `1000`}

var all = []variants{
	{"KubeFedCluster", `{apiEndpoint: "https://192.0.2.1:6443", secretRef: {name: s}}`, map[string][]string{
		"spec.apiEndpoint": {
			`""`, `x`, `x.example.com`, `192.0.2.1`, `"192.0.2.1:6443"`, `"x:6443"`, `"x:0"`, `"x:65535"`, `"x:65536"`, `"http://x"`, `"https://x"`, `"HTTPS://x"`,
			`"ftp://x"`, `"https://x:6443"`, `"https://x:99999"`, `"https://x:0"`, `"https://x:"`, `"https://x:port"`, `"https://x/k8s/clusters/c-1"`, `"https://x:443/path/"`,
			`"https://[2001:db8::1]:6443"`, `"https://user@x"`, `"https://x?a=b"`, `"https://"`, `"://x"`, `"https:x"`, `"localhost:8080"`, `"https://x y"`,
		},
		"spec.secretRef.name":         names,
		"spec.disabledTLSValidations": {`[]`, `["*"]`, `[SubjectName]`, `[ValidityPeriod]`, `[SubjectName, ValidityPeriod]`, `["*", SubjectName]`, `[Trust]`, `[""]`, `["*", "*"]`},
		"spec.proxyURL":               {`""`, `"http://p"`, `"https://p:3128"`, `"socks5://p:1080"`, `"socks5://u:w@p"`, `"ftp://p"`, `p`, `"p:3128"`, `"http://"`, `"//p"`},
	}},
	{"FederatedTypeConfig", `{propagation: Enabled, targetType: {group: x.io, version: v1, kind: Foo, pluralName: foos, scope: Namespaced},
		federatedType: {group: a.b, version: v1, kind: FederatedFoo, pluralName: federatedfoos, scope: Namespaced},
		statusType: {group: a.b, version: v1, kind: FooStatus, pluralName: foostatuses, scope: Namespaced}}`, map[string][]string{
		"spec.propagation":              {`Enabled`, `Disabled`, `"On"`, `""`, `enabled`},
		"spec.statusCollection":         {`Enabled`, `Disabled`, `"On"`, `""`},
		"spec.targetType.group":         append([]string{`x.io`}, groups...),
		"spec.targetType.pluralName":    append([]string{`foos`}, names...),
		"spec.targetType.version":       names,
		"spec.targetType.kind":          names,
		"spec.targetType.scope":         {`Namespaced`, `Cluster`, `World`, `""`, `namespaced`},
		"spec.federatedType.group":      groups,
		"spec.federatedType.version":    names,
		"spec.federatedType.kind":       append([]string{`Odd-Kind`}, names...),
		"spec.federatedType.pluralName": names,
		"spec.federatedType.scope":      {`Namespaced`, `Cluster`, `World`, `""`},
		"spec.statusType.group":         groups,
		"spec.statusType.version":       names,
		"spec.statusType.kind":          names,
		"spec.statusType.pluralName":    names,
		"spec.statusType.scope":         {`Namespaced`, `Cluster`, `World`, `""`},
		"metadata.name":                 {`foos`, `bars.x.io`, `foos.x.io.y`},
	}},
	{"KubeFedConfig", `{scope: Cluster}`, map[string][]string{
		"spec.scope":                                    {`Cluster`, `Namespaced`, `Galaxy`, `""`},
		"spec.controllerDuration.availableDelay":        times,
		"spec.controllerDuration.unavailableDelay":      times,
		"spec.controllerDuration.cacheSyncTimeout":      times,
		"spec.leaderElect.leaseDuration":                append([]string{`10s`, `10001ms`, `11s`}, times...),
		"spec.leaderElect.renewDeadline":                append([]string{`6s`, `6001ms`, `7s`, `14999ms`, `15s`}, times...),
		"spec.leaderElect.retryPeriod":                  append([]string{`8s`, `8333ms`, `8334ms`, `9s`}, times...),
		"spec.leaderElect.resourceLock":                 {`configmaps`, `endpoints`, `leases`, `files`, `""`},
		"spec.clusterHealthCheck.period":                times,
		"spec.clusterHealthCheck.timeout":               times,
		"spec.clusterHealthCheck.failureThreshold":      counts,
		"spec.clusterHealthCheck.successThreshold":      counts,
		"spec.syncController.maxConcurrentReconciles":   counts,
		"spec.syncController.adoptResources":            {`Enabled`, `Disabled`, `Perhaps`, `""`},
		"spec.statusController.maxConcurrentReconciles": counts,
		"spec.featureGates": {
			`[]`, `[{name: PushReconciler, configuration: Enabled}]`, `[{name: SchedulerPreferences, configuration: Disabled}]`,
			`[{name: RawResourceStatusCollection, configuration: Enabled}]`, `[{name: PushReconciler, configuration: "On"}]`, `[{name: PushReconciler, configuration: ""}]`,
			`[{name: FederatedIngress, configuration: Enabled}]`, `[{name: "", configuration: Enabled}]`,
			`[{name: PushReconciler, configuration: Enabled}, {name: PushReconciler, configuration: Disabled}]`,
		},
	}},
	{"KubeFedClusterStatus", `{}`, map[string][]string{
		"status.conditions": {
			`[]`, `[{type: Ready, status: "True", lastProbeTime: "2030-01-01T00:00:00Z"}]`, `[{type: Offline, status: "False", lastProbeTime: "2030-01-01T00:00:00Z"}]`,
			`[{type: ConfigMalformed, status: Unknown, lastProbeTime: "2030-01-01T00:00:00Z"}]`, `[{type: Happy, status: "True", lastProbeTime: "2030-01-01T00:00:00Z"}]`,
			`[{type: Ready, status: Perhaps, lastProbeTime: "2030-01-01T00:00:00Z"}]`, `[{type: Ready, status: "", lastProbeTime: "2030-01-01T00:00:00Z"}]`,
			`[{type: Ready, status: "True"}]`, `[{type: Ready, status: "True", lastProbeTime: null}]`,
		},
	}},
	{"FederatedTypeConfigStatus", `{observedGeneration: 1, propagationController: Running, statusController: NotRunning}`, map[string][]string{
		"status.observedGeneration":    {`0`, `1`, `-1`},
		"status.propagationController": {`Running`, `NotRunning`, `Walking`, `""`},
		"status.statusController":      {`Running`, `NotRunning`, `Flying`, `""`},
	}},
}

// object makes the good object of the kind with one field changed.
func (v variants) object(path, value string) map[string]interface{} {
	part, kind := "spec", v.kind
	if strings.HasSuffix(kind, "Status") {
		part, kind = "status", strings.TrimSuffix(kind, "Status")
	}
	name := map[string]string{"KubeFedCluster": "x", "FederatedTypeConfig": "foos.x.io", "KubeFedConfig": "x"}[kind]
	object := map[string]interface{}{"kind": kind, "metadata": map[string]interface{}{"name": name}, part: parse(v.good)}
	at := object
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		next, ok := at[step].(map[string]interface{})
		if !ok {
			next = map[string]interface{}{}
			at[step] = next
		}
		at = next
	}
	at[steps[len(steps)-1]] = parse(value)
	return object
}

func parse(text string) interface{} {
	var value interface{}
	must(yaml.Unmarshal([]byte(text), &value))
	return value
}

// judge says why KubeFed refuses an object; "" if it does not.
func judge(kind string, raw []byte) string {
	var errs field.ErrorList
	switch kind {
	case "KubeFedCluster", "KubeFedClusterStatus":
		object := &v1beta1.KubeFedCluster{}
		must(json.Unmarshal(raw, object))
		errs = validation.ValidateKubeFedCluster(object, kind == "KubeFedClusterStatus")
	case "FederatedTypeConfig", "FederatedTypeConfigStatus":
		object := &v1beta1.FederatedTypeConfig{}
		must(json.Unmarshal(raw, object))
		errs = validation.ValidateFederatedTypeConfig(object, kind == "FederatedTypeConfigStatus")
	case "KubeFedConfig":
		object := &v1beta1.KubeFedConfig{}
		must(json.Unmarshal(raw, object))
		defaults.SetDefaultKubeFedConfig(object) // its other webhook comes first
		errs = validation.ValidateKubeFedConfig(object, nil)
	}
	if len(errs) == 0 {
		return ""
	}
	return errs.ToAggregate().Error()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	for _, v := range all {
		paths := make([]string, 0, len(v.fields))
		for path := range v.fields {
			paths = append(paths, path)
		}
		sort.Strings(paths)
		for _, path := range paths {
			for _, value := range v.fields[path] {
				object := v.object(path, value)
				raw, err := json.Marshal(object)
				must(err)
				must(encoder.Encode(map[string]interface{}{"field": path, "object": object, "refused": judge(v.kind, raw)}))
			}
		}
	}
	_, err := os.Stdout.Write(out.Bytes())
	must(err)
}
