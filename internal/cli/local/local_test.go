package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/internal/view"
)

func TestDefaultDirectory(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv(DirEnv, "")
	for _, step := range []struct{ env, value, want string }{
		{"HOME", "/home/u", "/home/u/.local/state/fedctl/local"},
		{"XDG_STATE_HOME", "relative", "/home/u/.local/state/fedctl/local"},
		{"XDG_STATE_HOME", "/state", "/state/fedctl/local"},
		{DirEnv, "/here", "/here"},
	} {
		t.Setenv(step.env, step.value)
		dir := &dirFlag{}
		got, err := dir.path()
		if err != nil || got != step.want {
			t.Errorf("%s=%s: got %q, %v, want %q", step.env, step.value, got, err, step.want)
		}
		if option := dir.option(got); option != "" {
			t.Errorf("the default directory is repeated as %q", option)
		}
	}
	given := &dirFlag{dir: "/other"}
	if got, err := given.path(); err != nil || got != "/other" || given.option(got) != " --dir /other" {
		t.Errorf("--dir /other: %q, %v", got, err)
	}
}

func sampleStatus() localcluster.FleetStatus {
	return localcluster.FleetStatus{Dir: "/d", Kubeconfig: "/d/kubeconfig", Clusters: []localcluster.ClusterStatus{
		{
			Name: "host", Role: "host", State: localcluster.Running, Endpoint: "https://127.0.0.1:7000", Region: "eu-central", Version: "v1.36.3", Nodes: 1,
			Components: []localcluster.ComponentStatus{{Name: "etcd", State: localcluster.Running, PID: 7, Log: "/d/etcd.log"}},
		},
		{
			Name: "member-1", Role: "member", State: localcluster.Degraded, Endpoint: "https://127.0.0.1:7001", Region: "eu-west", Message: "etcd does not run",
			Components: []localcluster.ComponentStatus{{Name: "etcd", State: localcluster.Stopped, Log: "/d/etcd.log"}},
		},
	}}
}

func TestPrintStatus(t *testing.T) {
	for format, want := range map[string]string{
		"": `CLUSTER    ROLE     STATE      VERSION   NODES   GPUS   ENDPOINT                 MESSAGE
host       host     Running    v1.36.3   1       0      https://127.0.0.1:7000   -
member-1   member   Degraded   -         -       -      https://127.0.0.1:7001   etcd does not run
`,
		"wide": `CLUSTER    ROLE     STATE      VERSION   NODES   GPUS   ENDPOINT                 REGION       PROCESSES      MESSAGE
host       host     Running    v1.36.3   1       0      https://127.0.0.1:7000   eu-central   etcd:7         -
member-1   member   Degraded   -         -       -      https://127.0.0.1:7001   eu-west      etcd:Stopped   etcd does not run
`,
	} {
		var out strings.Builder
		if err := printStatus(&view.Printer{Out: &out, Format: format}, sampleStatus()); err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(out.String()) {
			lines = append(lines, strings.TrimRight(line, " \n")+"\n")
		}
		if diff := cmp.Diff(want, strings.Join(lines, "")); diff != "" {
			t.Errorf("format %q (-want +got):\n%s", format, diff)
		}
	}
}

func TestPrintStatusForPrograms(t *testing.T) {
	for format, want := range map[string][]string{
		"json": {`"name": "member-1"`, `"state": "Degraded"`, `"pid": 7`, `"gpus": 0`},
		"yaml": {"name: member-1", "state: Degraded", "pid: 7", "gpus: 0"},
	} {
		var out strings.Builder
		if err := printStatus(&view.Printer{Out: &out, Format: format}, sampleStatus()); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s lacks %q:\n%s", format, text, out.String())
			}
		}
	}
	if err := (&StatusOptions{Output: cmdutil.Output{Format: "xml"}}).Validate(); err == nil || !strings.Contains(err.Error(), "xml") {
		t.Errorf("format xml: %v", err)
	}
}

func TestLogReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etcd.log")
	write := func(text string) {
		t.Helper()
		file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
	}
	read := func(log *logReader, rest bool) string {
		t.Helper()
		var out strings.Builder
		if err := log.copy(&out, rest); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	log := &logReader{path: path, prefix: "etcd | "}
	if err := log.skip(3); err != nil || read(log, true) != "" {
		t.Errorf("no file yet: %v", err)
	}
	write("one\ntwo\nthree\n")
	for tail, want := range map[int]string{-1: "one\ntwo\nthree\n", 0: "", 1: "three\n", 2: "two\nthree\n", 9: "one\ntwo\nthree\n"} {
		log := &logReader{path: path}
		if err := log.skip(tail); err != nil {
			t.Fatal(err)
		}
		if got := read(log, true); got != want {
			t.Errorf("tail %d: %q, want %q", tail, got, want)
		}
	}
	if err := log.skip(1); err != nil {
		t.Fatal(err)
	}
	write("four\nfi")
	if got := read(log, false); got != "etcd | three\netcd | four\n" {
		t.Errorf("followed: %q", got)
	}
	write("ve\n")
	if got := read(log, false); got != "etcd | five\n" {
		t.Errorf("the rest of a line: %q", got)
	}
}
