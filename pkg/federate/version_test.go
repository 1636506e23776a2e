package federate

import (
	"crypto/md5"
	"encoding/hex"
	"testing"
)

// The lines are KubeFed's, written by hand: what its unstructured encoder prints
// for the template, and for its typed list of overrides.
func TestVersions(t *testing.T) {
	for name, test := range map[string]struct{ spec, template, overrides string }{
		"nothing":                  {`{}`, "", `{"overrides":null}`},
		"null":                     {`{template: null, overrides: null}`, "", `{"overrides":null}`},
		"empty":                    {`{template: {}, overrides: []}`, `{}`, `{"overrides":[]}`},
		"sorted and escaped":       {`{template: {b: "<&>", a: [1, 1.5, null, true]}}`, `{"a":[1,1.5,null,true],"b":"\u003c\u0026\u003e"}`, `{"overrides":null}`},
		"nulls in the template":    {`{template: {metadata: {creationTimestamp: null}}}`, `{"metadata":{"creationTimestamp":null}}`, `{"overrides":null}`},
		"a cluster alone":          {`{overrides: [{clusterName: a}]}`, "", `{"overrides":[{"clusterName":"a"}]}`},
		"a cluster with none":      {`{overrides: [{clusterName: a, clusterOverrides: []}]}`, "", `{"overrides":[{"clusterName":"a"}]}`},
		"a cluster without a name": {`{overrides: [{}]}`, "", `{"overrides":[{"clusterName":""}]}`},
		"in the manifest's order": {
			`{overrides: [{clusterName: b, clusterOverrides: [{value: 5, path: /spec/replicas}]}, {clusterName: a, clusterOverrides: [{op: remove, path: /spec/paused}]}]}`, "",
			`{"overrides":[{"clusterName":"b","clusterOverrides":[{"path":"/spec/replicas","value":5}]},{"clusterName":"a","clusterOverrides":[{"op":"remove","path":"/spec/paused"}]}]}`,
		},
		"values": {
			`{overrides: [{clusterName: a, clusterOverrides: [{op: add, path: /a, value: {b: "<", a: [0, false, ""]}}, {op: "", path: /b, value: null}, {path: /c, value: 0}, {path: /d, value: ""}]}]}`, "",
			`{"overrides":[{"clusterName":"a","clusterOverrides":[{"op":"add","path":"/a","value":{"a":[0,false,""],"b":"\u003c"}},{"path":"/b"},{"path":"/c","value":0},{"path":"/d","value":""}]}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := mustParse(t, "spec: "+test.spec)
			if got, want := TemplateVersion(o.Template), line(test.template); got != want {
				t.Errorf("template %s, want %s", got, want)
			}
			if got, want := OverridesVersion(o.Overrides), line(test.overrides); got != want {
				t.Errorf("overrides %s, want %s", got, want)
			}
		})
	}
}

// line is what md5sum prints for the text and a newline; "" stays "".
func line(text string) string {
	if text == "" {
		return ""
	}
	sum := md5.Sum([]byte(text + "\n"))
	return hex.EncodeToString(sum[:])
}

func TestVersionsAsMD5Sum(t *testing.T) {
	// echo '{"data":{"k":"v"}}' | md5sum; echo '{"overrides":null}' | md5sum
	if got := TemplateVersion(map[string]any{"data": map[string]any{"k": "v"}}); got != "86d7340b476552a96d857c5b58aace45" {
		t.Error(got)
	}
	if got := OverridesVersion(nil); got != "2979b7538b527abe06492021841caf47" {
		t.Error(got)
	}
}

// KubeFed decodes the overrides with encoding/json, so every number is a float64
// there, while the template keeps its int64.
func TestVersionsOfLargeIntegers(t *testing.T) {
	const large = int64(9007199254740993)
	if got := TemplateVersion(map[string]any{"a": large}); got != line(`{"a":9007199254740993}`) {
		t.Error(got)
	}
	override := Override{Path: "/a", Value: []any{large, map[string]any{"b": int64(1)}}}
	want := line(`{"overrides":[{"clusterName":"c","clusterOverrides":[{"path":"/a","value":[9007199254740992,{"b":1}]}]}]}`)
	if got := OverridesVersion([]ClusterOverrides{{ClusterName: "c", Overrides: []Override{override}}}); got != want {
		t.Error(got)
	}
}

func TestVersionOfWhatIsNoJSON(t *testing.T) {
	if got := TemplateVersion(map[string]any{"a": make(chan int)}); got != "" {
		t.Error(got)
	}
}
