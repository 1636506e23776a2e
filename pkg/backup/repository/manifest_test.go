package repository

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseManifest(t *testing.T) {
	resource := func(fields string) string {
		return `{"version":1,"cluster":{"uid":"u"},"source":{"namespace":"n","backup":"b","run":"r"},"startTime":"2026-01-01T00:00:00Z","resources":[` + fields + `]}`
	}
	const good = `{"group":"apps","version":"v1","resource":"deployments","kind":"Deployment","namespaced":true,"objects":3,"bytes":9}`
	for name, test := range map[string]struct{ data, want string }{
		"good":       {resource(good), ""},
		"none":       {resource(""), ""},
		"no JSON":    {"{", "not valid JSON"},
		"newer":      {`{"version":2}`, "version 2"},
		"no version": {`{}`, "version 0"},
		"twice":      {resource(good + "," + good), "there twice"},
		"a path":     {resource(strings.Replace(good, "deployments", "../../etc/passwd", 1)), "not a valid one"},
		"hidden":     {resource(strings.Replace(good, "deployments", ".x", 1)), "not a valid one"},
		"no kind":    {resource(strings.Replace(good, `"Deployment"`, `""`, 1)), "not a valid one"},
		"negative":   {resource(strings.Replace(good, "3", "-3", 1)), "negative"},
	} {
		_, err := parseManifest([]byte(test.data))
		if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

// FuzzParseManifest: what is accepted survives writing and reading, and its file
// names stay in their directory.
func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"version":1,"resources":[{"version":"v1","resource":"configmaps","kind":"ConfigMap","objects":3,"bytes":9}]}`))
	f.Add([]byte(`{"version":1,"resources":[{"version":"v1","resource":"..","kind":"x"}],"leftOut":[{}],"warnings":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest(data)
		if err != nil {
			return
		}
		for i := range m.Resources {
			if name := m.Resources[i].fileName(); strings.ContainsAny(name, "/\\\x00") || strings.HasPrefix(name, ".") {
				t.Fatalf("the file name %q was accepted", name)
			}
		}
		written, err := json.Marshal(m)
		if err != nil {
			t.Skip("a time that JSON cannot hold")
		}
		again, err := parseManifest(written)
		if err != nil {
			t.Fatalf("what was written is not accepted: %v", err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(written, twice) {
			t.Fatalf("%s became %s, %v", written, twice, err)
		}
	})
}

// FuzzEachLine: lines come out as they went in, whatever is in them.
func FuzzEachLine(f *testing.F) {
	f.Add([]byte("{}\n{\"a\":1}\n"), 2)
	f.Add([]byte("\n\nno end"), 100)
	f.Fuzz(func(t *testing.T, data []byte, limit int) {
		var got [][]byte
		err := eachLine(bytes.NewReader(data), func(line []byte) bool {
			got = append(got, bytes.Clone(line))
			return len(got) != limit
		})
		if err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 && (limit <= 0 || len(want) < limit) {
				want = append(want, line)
			}
		}
		if !bytes.Equal(bytes.Join(got, []byte("\n")), bytes.Join(want, []byte("\n"))) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
