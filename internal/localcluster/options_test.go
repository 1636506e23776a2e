package localcluster

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fedctl/fedctl/internal/freeport"
)

func TestOptionsAreChecked(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Options)
		want   string // part of the error; empty: none
	}{
		"host only":           {change: func(*Options) {}},
		"members":             {change: func(o *Options) { o.Members, o.GPUMembers = 3, 3 }},
		"no directory":        {change: func(o *Options) { o.Dir = "" }, want: "directory"},
		"negative":            {change: func(o *Options) { o.Members = -1 }, want: "members is -1"},
		"too many":            {change: func(o *Options) { o.Members = 101 }, want: "between 0 and 100"},
		"more GPU members":    {change: func(o *Options) { o.Members, o.GPUMembers = 1, 2 }, want: "gpu-members is 2"},
		"reserved port":       {change: func(o *Options) { o.PortBase = 80 }, want: "1024"},
		"ports beyond 65535":  {change: func(o *Options) { o.Members, o.PortBase = 3, 65533 }, want: "65535"},
		"last ports":          {change: func(o *Options) { o.Members, o.PortBase = 3, 65532 }},
		"too many nodes":      {change: func(o *Options) { o.MemberNodes = 250 }, want: "250 nodes"},
		"no nodes":            {change: func(o *Options) { o.HostNodes, o.MemberNodes, o.GPUNodes = None, None, None }},
		"without etcd":        {change: func(o *Options) { o.Without = []string{Etcd} }, want: `"etcd" cannot be left out`},
		"without controllers": {change: func(o *Options) { o.Without = []string{Kwok, ControllerManager, Scheduler} }},
	} {
		t.Run(name, func(t *testing.T) {
			options := Options{Dir: t.TempDir()}
			test.change(&options)
			err := options.complete()
			if test.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	options := Options{Dir: ".", MemberNodes: None}
	if err := options.complete(); err != nil {
		t.Fatal(err)
	}
	if options.HostNodes != 1 || options.MemberNodes != 0 || options.GPUNodes != 1 {
		t.Errorf("nodes: host %d, members %d, GPU %d", options.HostNodes, options.MemberNodes, options.GPUNodes)
	}
	if !filepath.IsAbs(options.Dir) || options.Log == nil || options.Timeout == 0 || len(options.Controllers) == 0 {
		t.Errorf("incomplete: %+v", options)
	}
}

func TestPorts(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	busy := listener.Addr().(*net.TCPAddr).Port
	if freeport.IsFree(busy) {
		t.Error("a port in use counts as free")
	}
	_, err = assignPorts(busy-1, 3)
	if err == nil || !strings.Contains(err.Error(), "is in use") || !strings.Contains(err.Error(), "--ports") {
		t.Errorf("ports around one in use: %v", err)
	}
	ports, err := assignPorts(0, 20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] || port < firstFreePort || port >= lastFreePort {
			t.Errorf("port %d among %v", port, ports)
		}
		seen[port] = true
	}
}

func TestFindBinary(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "pkg", "x")
	binary := filepath.Join(root, "bin", "kubernetes")
	for _, dir := range []string{below, filepath.Dir(binary)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(below)
	t.Setenv(BinaryEnv, "")
	if err := os.WriteFile(filepath.Join(root, "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FindBinary(""); !errors.Is(err, ErrNoBinary) || !strings.Contains(err.Error(), "make bin/kubernetes") {
		t.Errorf("without a binary: %v", err)
	}
	if err := os.WriteFile(binary, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FindBinary(binary); !errors.Is(err, ErrNoBinary) {
		t.Errorf("a file that is not executable: %v", err)
	}
	if err := os.Chmod(binary, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"", "../../bin/kubernetes"} {
		if got, err := FindBinary(given); err != nil || got != binary {
			t.Errorf("FindBinary(%q) = %q, %v, want %q", given, got, err, binary)
		}
	}
	t.Setenv(BinaryEnv, filepath.Join(root, "nowhere"))
	if _, err := FindBinary(""); !errors.Is(err, ErrNoBinary) || !strings.Contains(err.Error(), BinaryEnv) {
		t.Errorf("wrong environment: %v", err)
	}
}

// planned returns the fleet that a start with the options would have written down.
func planned(t *testing.T, options Options) *Fleet {
	t.Helper()
	if err := options.complete(); err != nil {
		t.Fatal(err)
	}
	state, err := newState(&options, "v1.36.3")
	if err != nil {
		t.Fatal(err)
	}
	if err := state.write(options.Dir); err != nil {
		t.Fatal(err)
	}
	fleet, err := Load(options.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return fleet
}

func TestStatePlansClusters(t *testing.T) {
	options := Options{Dir: t.TempDir(), Members: 3, GPUMembers: 1, HostNodes: None}
	fleet := planned(t, options)
	want := map[string][2]int{"host": {0, 0}, "member-1": {2, 0}, "member-2": {2, 0}, "member-3": {2, 1}}
	pods, regions := map[string]bool{}, map[string]bool{}
	for _, cluster := range fleet.Clusters() {
		if got := [2]int{cluster.state.Nodes, cluster.state.GPUNodes}; got != want[cluster.Name] {
			t.Errorf("%s has nodes %v, want %v", cluster.Name, got, want[cluster.Name])
		}
		if cluster.GPU != (cluster.Name == "member-3") {
			t.Errorf("%s: GPU is %v", cluster.Name, cluster.GPU)
		}
		for _, node := range cluster.nodes() {
			pods[node.Spec.PodCIDR] = true
		}
		regions[cluster.Region] = true
	}
	if len(pods) != 7 || len(regions) != 4 {
		t.Errorf("%d pod networks for 7 nodes, %d regions for 4 clusters", len(pods), len(regions))
	}
	if _, err := fleet.Member("member-4"); err == nil || !strings.Contains(err.Error(), "host, member-1, member-2, member-3") {
		t.Errorf("unknown member: %v", err)
	}
}

// Commands in pods run on this machine without a password: only who asks gets them.
func TestStateServesCommandsInPods(t *testing.T) {
	for _, exec := range []bool{false, true} {
		options := Options{Dir: t.TempDir(), Members: 2, Exec: exec}
		fleet := planned(t, options)
		ports := map[int]bool{}
		for _, cluster := range fleet.Clusters() {
			ports[cluster.state.Port], ports[cluster.state.ExecPort] = true, true
			args := strings.Join(cluster.args(Kwok), " ")
			if got := strings.Contains(args, "--server-address=127.0.0.1:"); got != exec {
				t.Errorf("Exec %v: kwok gets %s", exec, args)
			}
			if got := strings.Contains(string(cluster.stages()), "ClusterExec"); got != exec {
				t.Errorf("Exec %v: kwok's configuration has rules for it: %v", exec, got)
			}
			port := cluster.nodes()[0].Status.DaemonEndpoints.KubeletEndpoint.Port
			if int(port) != cluster.state.ExecPort {
				t.Errorf("Exec %v: nodes have the port %d, kwok serves %d", exec, port, cluster.state.ExecPort)
			}
		}
		if want := map[bool]int{false: 4, true: 6}[exec]; len(ports) != want {
			t.Errorf("Exec %v: %d different ports, want %d", exec, len(ports), want)
		}
	}
}

func TestDamagedState(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); !errors.Is(err, ErrNoFleet) {
		t.Errorf("empty directory: %v", err)
	}
	for _, content := range []string{"", "{}", "[]", `{"format":99,"clusters":[{}]}`} {
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "fedctl local down") {
			t.Errorf("state %q: %v", content, err)
		}
	}
	if err := Down(t.Context(), dir); err != nil || exists(dir) {
		t.Errorf("down with a damaged state: %v, directory left: %v", err, exists(dir))
	}
}

func TestDownKeepsForeignFiles(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkEmpty(dir); err == nil || !strings.Contains(err.Error(), "thesis.tex") {
		t.Errorf("a directory with other files: %v", err)
	}
	if err := Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := (&fleetState{Format: stateFormat, Clusters: []clusterState{{Name: HostName}}}).write(dir); err != nil {
		t.Fatal(err)
	}
	if err := Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || !exists(foreign) {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestLockWaitsForOwner(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(t.Context(), dir, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	said, saying := io.Pipe()
	locked := make(chan struct{})
	go func() {
		defer close(locked)
		if second, err := lock(t.Context(), dir, saying); err == nil {
			second()
		}
		_ = saying.Close() // it ends what is read below
	}()
	text := make([]byte, 1000)
	n, err := said.Read(text)
	if err != nil {
		t.Fatal("two owners at the same time")
	}
	if !strings.Contains(string(text[:n]), "another program") {
		t.Errorf("said %q", text[:n])
	}
	unlock()
	<-locked
}

func TestSummary(t *testing.T) {
	all := func(change map[string]State) []ComponentStatus {
		var components []ComponentStatus
		for _, name := range Components {
			state := Running
			if changed, ok := change[name]; ok {
				state = changed
			}
			components = append(components, ComponentStatus{Name: name, State: state})
		}
		return components
	}
	for name, test := range map[string]struct {
		change  map[string]State
		want    State
		message string
	}{
		"running":     {want: Running},
		"paused":      {change: map[string]State{APIServer: Paused}, want: Paused, message: "the API server is paused"},
		"one missing": {change: map[string]State{Kwok: Stopped}, want: Degraded, message: "kwok does not run"},
		"stopped":     {change: map[string]State{Etcd: Stopped, APIServer: Stopped, ControllerManager: Stopped, Scheduler: Stopped, Kwok: Stopped}, want: Stopped},
	} {
		if state, message := summarise(all(test.change)); state != test.want || message != test.message {
			t.Errorf("%s: %s %q", name, state, message)
		}
	}
}

func TestFailedChecks(t *testing.T) {
	body := "[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\n[-]informer-sync failed: reason withheld\nreadyz check failed\n"
	if got := failedChecks(body); got != "etcd, informer-sync" {
		t.Errorf("got %q", got)
	}
	if got := failedChecks("ok"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestMergedContextsAreTakenOutAgain(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	fleet := newFleet(dir, &fleetState{Format: stateFormat, Clusters: []clusterState{{Name: HostName, Port: 7000}}})
	if err := fleet.Host().writeFiles(); err != nil {
		t.Fatal(err)
	}
	real, link := filepath.Join(home, "real"), filepath.Join(home, "config")
	const mine = "apiVersion: v1\nkind: Config\ncurrent-context: mine\nclusters: [{name: mine, cluster: {server: https://mine}}]\ncontexts: [{name: mine, context: {cluster: mine}}]\n"
	if err := os.WriteFile(real, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if err := fleet.MergeKubeconfig(link); err != nil {
		t.Fatal(err)
	}
	config, err := loadConfig(link)
	if err != nil || len(config.Contexts) != 2 || config.Contexts["fedctl-local-host"] == nil || config.CurrentContext != "mine" {
		t.Fatalf("merged: %+v, %v", config, err)
	}
	if err := Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	config, err = loadConfig(link)
	if err != nil || len(config.Contexts) != 1 || config.Contexts["mine"] == nil || config.CurrentContext != "mine" {
		t.Errorf("taken out: %+v, %v", config, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced by a file")
	}
}
