package fleetapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/internal/localcluster"
	"github.com/fedctl/fedctl/test/e2e/framework"
)

// auditPolicy notes requests through to members in the host, and in members those about what
// the spec asks for.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  resources:
  - group: fleet.fedctl.io
  - group: ""
    resources: [configmaps]
    resourceNames: [audited]
- level: None
`

// auditLog is where each cluster writes its own, in its directory.
const auditLog = "audit.log"

// audited has the API servers of the host and of members keep audit logs.
func audited(o *localcluster.Options) {
	policy := filepath.Join(GinkgoT().TempDir(), "audit-policy.yaml")
	Expect(writeFile(policy, auditPolicy)).To(Succeed())
	o.ExtraArgs = map[string][]string{localcluster.APIServer: {"--audit-policy-file=" + policy, "--audit-log-path=" + auditLog, "--audit-log-mode=blocking"}}
}

// auditOf are the events in the audit log of a cluster whose URL has a text.
func auditOf(c *framework.Cluster, text string) (events []auditv1.Event) {
	GinkgoHelper()
	fleet, ok := system.Faults().(*localcluster.Fleet)
	Expect(ok).To(BeTrue(), "only local clusters have a log that can be read")
	clusters := fleet.Clusters()
	at := slices.IndexFunc(clusters, func(l *localcluster.Cluster) bool { return l.Name == c.Name })
	content, err := os.ReadFile(filepath.Join(clusters[at].Dir, auditLog))
	Expect(err).NotTo(HaveOccurred())
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event auditv1.Event
		if json.Unmarshal(lines.Bytes(), &event) == nil && strings.Contains(event.RequestURI, text) { // the last line may be half written
			events = append(events, event)
		}
	}
	return events
}

var _ = Describe("The audit logs", func() {
	// expectNamed waits until both say of a request who has made it.
	expectNamed := func(ctx context.Context, config *rest.Config, inHost, inMember string) {
		GinkgoHelper()
		_, err := clientOf(through(config, "member-1")).CoreV1().ConfigMaps("default").Get(ctx, "audited", metav1.GetOptions{})
		Expect(err).To(MatchError(Or(ContainSubstring("not found"), ContainSubstring("is forbidden"))))
		var there auditv1.Event
		Eventually(ctx, func() string {
			for _, event := range auditOf(members[0], "/configmaps/audited") {
				if there = event; event.ImpersonatedUser != nil && event.ImpersonatedUser.Username == inMember {
					return event.ImpersonatedUser.Username
				}
			}
			return ""
		}).Should(Equal(inMember), "the member's")
		Expect(there.User.Username).To(HavePrefix("system:serviceaccount:"), "whose credential it was")
		Expect(there.User.Username).To(HaveSuffix("-fleet"))
		Expect(there.ObjectRef).To(HaveField("Name", "audited"))

		var here []auditv1.Event
		for _, event := range auditOf(host, "/proxy/api/v1/namespaces/default/configmaps/audited") {
			if event.AuditID == there.AuditID {
				here = append(here, event)
			}
		}
		Expect(here).NotTo(BeEmpty(), "the host's, of the same request by its ID")
		who := here[0].User.Username
		if here[0].ImpersonatedUser != nil {
			who = here[0].ImpersonatedUser.Username
		}
		Expect(who).To(Equal(inHost))
		Expect(here[0].ObjectRef).To(And(HaveField("Resource", "clusters"), HaveField("Subresource", "proxy"), HaveField("Name", "member-1")))
	}

	It("of the host and of the member name the user, and tell of one request by one ID", func(ctx SpecContext) {
		letThrough(ctx, user("audrey"), everyVerb)
		eventuallyWho(ctx, as("audrey"), "member-1")
		expectNamed(ctx, as("audrey"), "audrey", "audrey")

		By("a ServiceAccount, which is nobody of the member's")
		config := account(ctx, "default", "auditor")
		letThrough(ctx, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: "auditor"}, everyVerb)
		eventuallyWho(ctx, config, "member-1")
		expectNamed(ctx, config, "system:serviceaccount:default:auditor", "host:system:serviceaccount:default:auditor")
	}, NodeTimeout(3*time.Minute))
})
