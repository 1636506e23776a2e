// Package argocd holds the health check for Argo CD in examples/argocd to what federated
// objects say, by running it in a Lua interpreter, as Argo CD does.
package argocd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/workload"
)

const folder = "../../examples/argocd"

func script(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "health.lua"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The ConfigMap has the script, word for word.
func TestTheConfigMapHasTheScript(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(folder, "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Data map[string]string }
	if err := yaml.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	var customizations map[string]map[string]string
	if err := yaml.Unmarshal([]byte(read.Data["resource.customizations"]), &customizations); err != nil {
		t.Fatal(err)
	}
	if got := customizations["types.kubefed.io/*"]["health.lua"]; got != script(t) {
		t.Errorf("it has:\n%s", got)
	}
}

// health runs the script on an object.
func health(t *testing.T, object map[string]any) (status, message string) {
	t.Helper()
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", valueOf(state, object))
	if err := state.DoString(script(t)); err != nil {
		t.Fatal(err)
	}
	result, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("it returns %s", state.Get(-1).Type())
	}
	return result.RawGetString("status").String(), result.RawGetString("message").String()
}

// valueOf is a piece of an object as Lua has it.
func valueOf(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, inner := range value {
			table.RawSetString(key, valueOf(state, inner))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, inner := range value {
			table.Append(valueOf(state, inner))
		}
		return table
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case bool:
		return lua.LBool(value)
	}
	return lua.LNil
}

// What the control plane says of an object, Argo CD understands.
func TestHealth(t *testing.T) {
	in := func(status federate.PropagationStatus, health workload.HealthStatus, message string) federate.Outcome {
		return federate.Outcome{Cluster: "oslo", Status: status, Health: &workload.Health{Status: health, Message: message}}
	}
	for name, test := range map[string]struct {
		outcomes []federate.Outcome
		reason   federate.AggregateReason
		want     string
		message  string
	}{
		"healthy":        {[]federate.Outcome{in("", workload.Healthy, "")}, "", "Healthy", "Healthy"},
		"of no health":   {[]federate.Outcome{{Cluster: "oslo"}}, "", "Healthy", "Propagated"},
		"progressing":    {[]federate.Outcome{in("", workload.Progressing, "Ready: 0/1")}, "", "Progressing", "oslo Progressing (Ready: 0/1)"},
		"degraded":       {[]federate.Outcome{in("", workload.Degraded, "it has failed")}, "", "Degraded", "oslo Degraded (it has failed)"},
		"suspended":      {[]federate.Outcome{in("", workload.Suspended, "spec.suspend is true")}, "", "Suspended", "spec.suspend is true"},
		"not propagated": {[]federate.Outcome{in(federate.UpdateFailed, workload.Healthy, "")}, "", "Degraded", "oslo UpdateFailed"},
		"away":           {[]federate.Outcome{in(federate.ClusterNotReady, workload.Unknown, "")}, "", "Unknown", "oslo ClusterNotReady"},
		"unknown":        {[]federate.Outcome{in("", workload.Unknown, "nobody can tell")}, "", "Unknown", "nobody can tell"},
		"nowhere":        {nil, "", "Suspended", "no cluster"},
		"not federated":  {nil, federate.NamespaceNotFederated, "Degraded", "FederatedNamespace"},
	} {
		t.Run(name, func(t *testing.T) {
			next, _ := federate.Fold(federate.FoldInput{Generation: 2, Outcomes: test.outcomes, Reason: test.reason, Now: time.Unix(0, 0)})
			object := map[string]any{"metadata": map[string]any{"generation": int64(2)}, "status": next.ToUnstructured()}
			status, message := health(t, object)
			if status != test.want || !strings.Contains(message, test.message) {
				t.Errorf("got %s: %s", status, message)
			}
			object["metadata"] = map[string]any{"generation": int64(3)}
			if status, message := health(t, object); status != "Progressing" || message != "generation 3 has not been observed yet" {
				t.Errorf("of a later generation: %s: %s", status, message)
			}
		})
	}
	for _, object := range []map[string]any{{"metadata": map[string]any{}}, {"metadata": map[string]any{}, "status": map[string]any{"conditions": []any{}}}} {
		if status, _ := health(t, object); status != "Progressing" {
			t.Errorf("of an object that nobody has seen: %s", status)
		}
	}
}
