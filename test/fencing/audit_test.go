package fencing

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// auditLog is where all API servers of the suite write down who has written what.
func auditLog(dir string) string { return filepath.Join(dir, "audit.log") }

// audited has the API servers do so, one line for each request, all in one file.
func audited(dir string) func(*localcluster.Options) {
	GinkgoHelper()
	policy := filepath.Join(dir, "policy.yaml")
	Expect(os.WriteFile(policy, []byte(`apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- {level: None, verbs: [get, list, watch]}
- level: None
  resources: [{group: authentication.k8s.io}, {group: authorization.k8s.io}, {group: events.k8s.io}, {resources: [events]}]
- level: Metadata
`), 0o600)).To(Succeed())
	// A file that is there is appended to, by each of them.
	Expect(os.WriteFile(auditLog(dir), []byte("\n"), 0o600)).To(Succeed())
	return func(o *localcluster.Options) {
		o.ExtraArgs = map[string][]string{localcluster.APIServer: {
			"--audit-policy-file=" + policy, "--audit-log-path=" + auditLog(dir), "--audit-log-maxsize=10000", "--audit-log-mode=blocking",
		}}
	}
}

// request is one that an API server has answered.
type request struct {
	Verb, UserAgent          string
	RequestReceivedTimestamp metav1.MicroTime
	ObjectRef                *struct{ Resource, Namespace, Name string }
	ResponseStatus           struct{ Code int }
}

// process is how a controller calls itself in its requests.
var process = regexp.MustCompile(`^` + kubefedconfig.Controller + `/\S+ \((\S+)\)`)

// written are the requests of controllers that write, in the order in which API servers
// have received them.
func written(dir string) []request {
	GinkgoHelper()
	file, err := os.Open(auditLog(dir))
	Expect(err).NotTo(HaveOccurred())
	defer file.Close() //nolint:errcheck // only read
	var requests []request
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var r request
		Expect(json.Unmarshal(lines.Bytes(), &r)).To(Succeed(), "%s", lines.Bytes())
		if r.ObjectRef != nil && process.MatchString(r.UserAgent) {
			requests = append(requests, r)
		}
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	slices.SortStableFunc(requests, func(a, b request) int {
		return a.RequestReceivedTimestamp.Compare(b.RequestReceivedTimestamp.Time)
	})
	return requests
}

// expectOneWriter looks that each write came from the process that has taken the Lease, or
// renewed it, last before. It returns how many writes and how many leaders there were.
func expectOneWriter(dir string) (writes, leaders int) {
	GinkgoHelper()
	leader, led := "", map[string]bool{}
	for _, r := range written(dir) {
		who := process.FindStringSubmatch(r.UserAgent)[1]
		if r.ObjectRef.Resource == "leases" {
			if r.ResponseStatus.Code < 300 {
				leader, led[who] = who, true
			}
			continue
		}
		writes++
		Expect(who).To(Equal(leader), "who led when %s %s %s/%s was written at %s", r.Verb, r.ObjectRef.Resource, r.ObjectRef.Namespace, r.ObjectRef.Name, r.RequestReceivedTimestamp)
	}
	return writes, len(led)
}

// monitor watches what the member holds for versions that are older than those before.
type monitor struct {
	mu     sync.Mutex
	seen   map[string]int // by name
	events int
	older  []string
}

// watchVersions begins to, until ctx ends.
func watchVersions(ctx context.Context, c *framework.Cluster, namespace string) *monitor {
	GinkgoHelper()
	reader, err := client.NewWithWatch(c.Config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	m := &monitor{seen: map[string]int{}}
	go func() {
		for ctx.Err() == nil {
			m.follow(ctx, reader, namespace)
		}
	}()
	return m
}

// follow lists and watches until the watch ends.
func (m *monitor) follow(ctx context.Context, reader client.WithWatch, namespace string) {
	var list corev1.ConfigMapList
	if reader.List(ctx, &list, managed, client.InNamespace(namespace)) != nil {
		return
	}
	for i := range list.Items {
		m.note(&list.Items[i])
	}
	changes, err := reader.Watch(ctx, &list, managed, client.InNamespace(namespace), &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	if err != nil {
		return
	}
	defer changes.Stop()
	for event := range changes.ResultChan() {
		if object, isOne := event.Object.(*corev1.ConfigMap); isOne && event.Type != watch.Deleted {
			m.note(object)
		}
	}
}

func (m *monitor) note(object *corev1.ConfigMap) {
	version, err := strconv.Atoi(object.Data["version"])
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events++
	if before := m.seen[object.Name]; err != nil || version < before {
		m.older = append(m.older, fmt.Sprintf("%s went from %d to %q", object.Name, before, object.Data["version"]))
		return
	}
	m.seen[object.Name] = version
}

// found is how many changes were seen, and which of them went back.
func (m *monitor) found() (events int, older []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.events, slices.Clone(m.older)
}
