package analysis

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	fedcommon "sigs.k8s.io/kubefed/pkg/apis/core/common"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/finding"
)

// expiresSoon is how long credentials should last at least after the move.
const expiresSoon = 30 * 24 * time.Hour

func (a *analyzer) clusters() {
	for i := range a.in.Clusters {
		a.cluster(&a.in.Clusters[i])
	}
	if len(a.in.Clusters) == 0 {
		a.find(finding.Finding{Level: finding.Warning, Code: "no-clusters", Message: "no cluster has joined namespace " + a.in.Namespace,
			Do: "look at --kubefed-namespace and --host-cluster-context, if there should be some"})
	}
}

func (a *analyzer) cluster(c *fedcorev1beta1.KubeFedCluster) {
	row := Cluster{Name: c.Name, Ready: "Unknown", Kubernetes: c.Status.KubernetesVersion, Endpoint: c.Spec.APIEndpoint, Token: "unknown"}
	why := "no condition Ready was ever written"
	for _, condition := range c.Status.Conditions {
		switch condition.Type {
		case fedcommon.ClusterReady:
			row.Ready = string(condition.Status)
			why = text(condition.Reason) + ": " + text(condition.Message)
		case fedcommon.ClusterOffline:
			// KubeFed writes no condition Ready for a cluster that is offline.
			if condition.Status == corev1.ConditionTrue && row.Ready == "Unknown" {
				row.Ready, why = "False", text(condition.Reason)+": "+text(condition.Message)
			}
		}
	}
	find := func(level finding.Level, code, message, do string) {
		a.find(finding.Finding{Level: level, Code: code, Subject: "kubefedcluster " + c.Name, Message: message, Do: do})
	}
	if row.Ready != "True" {
		find(finding.Warning, "cluster-not-ready", "it is not ready ("+why+"): nothing reaches it, and deletions wait for it, under fedctl as well",
			"repair it, or let it go: fedctl unjoin "+c.Name+" --force")
	}
	if c.DeletionTimestamp != nil {
		find(finding.Warning, "cluster-deleting", "it is being deleted; what is placed there is no longer propagated", "fedctl unjoin "+c.Name+" --force, if nobody ends it")
	}
	if c.Spec.APIEndpoint == "" {
		find(finding.Blocks, "cluster-without-endpoint", "spec.apiEndpoint is empty", "fedctl join "+c.Name+" --cluster-context CONTEXT")
	}
	a.credentials(c, &row, find)
	a.report.Clusters = append(a.report.Clusters, row)
}

func (a *analyzer) credentials(c *fedcorev1beta1.KubeFedCluster, row *Cluster, find func(level finding.Level, code, message, do string)) {
	name := c.Spec.SecretRef.Name
	secret, read := a.in.Secrets[name]
	again := "fedctl join " + c.Name + " --cluster-context CONTEXT"
	switch {
	case name == "":
		find(finding.Warning, "cluster-without-secret", "spec.secretRef names no Secret, so nobody can connect", again)
		return
	case !read:
		return // told as unreadable
	case secret == nil:
		find(finding.Warning, "cluster-without-secret", "its Secret "+name+" does not exist, so nobody can connect", again)
		return
	case len(secret.Data["token"]) == 0:
		find(finding.Warning, "cluster-without-secret", "its Secret "+name+" has no token, so nobody can connect", again)
		return
	}
	claims, ok := readToken(secret.Data["token"])
	if !ok {
		find(finding.Note, "token-unknown", "the token in Secret "+name+" is no service account's; nothing is known of how long it lasts", "")
		return
	}
	if claims.Expires == nil {
		row.Token = "never expires"
		message := "its token never expires"
		if claims.Secret != "" {
			message += ": it is that of Secret " + claims.Namespace + "/" + claims.Secret + " in the member, and lasts as long as that Secret"
		}
		find(finding.Note, "token-never-expires", message,
			"to replace it, delete that Secret in the member and run "+again)
		return
	}
	expires := time.Unix(int64(*claims.Expires), 0).UTC()
	day := expires.Format(time.DateOnly)
	switch left := expires.Sub(a.in.Now); {
	case left <= 0:
		row.Token = "expired " + day
		find(finding.Warning, "token-expired", "its token expired on "+day, again)
	default:
		row.Token = "expires " + day
		if left < expiresSoon {
			find(finding.Warning, "token-expires", "its token expires on "+day, again+"; that makes one that lasts")
		}
	}
}

// claims are what a service account's token says of itself. The signature is not
// looked at: nothing is decided by it.
type claims struct {
	Expires   *float64 `json:"exp"`
	Issuer    string   `json:"iss"`
	Secret    string   `json:"kubernetes.io/serviceaccount/secret.name"`
	Namespace string   `json:"kubernetes.io/serviceaccount/namespace"`
}

func readToken(token []byte) (claims, bool) {
	var c claims
	parts := strings.Split(strings.TrimSpace(string(token)), ".")
	if len(parts) != 3 {
		return c, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return claims{}, false
	}
	return c, c.Issuer != ""
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}
