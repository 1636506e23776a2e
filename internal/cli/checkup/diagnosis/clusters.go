package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/internal/finding"
	"github.com/fedctl/fedctl/internal/view"
	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/reach"
)

const (
	// longBefore is how long before its end a token is told of that nobody renews.
	longBefore = 30 * 24 * time.Hour
	// mostSkew is how far clocks may be apart before things that are told by times, such as
	// the age of a Lease or the end of a token, are wrong by more than they allow for.
	mostSkew = 5 * time.Second
)

func (d *diagnosis) clusters() {
	if d.in.Installed && len(d.in.Clusters) == 0 && d.knows("KubeFedCluster") {
		d.find(finding.Finding{Level: finding.Note, Code: "no-clusters", Message: "no cluster has joined", Do: "fedctl join NAME --cluster-context CONTEXT"})
	}
	for i := range d.in.Clusters {
		c := &d.in.Clusters[i]
		d.readiness(c)
		d.token(c)
		if c.Silent != "" {
			d.cluster(c, finding.Finding{Level: finding.Warning, Code: "cluster-silent", Message: "it does not answer just now: " + c.Silent,
				Do: "see \"fedctl get clusters\" in a minute; where its address is another one: fedctl join " + c.Object.Name + " --cluster-context CONTEXT --api-endpoint ADDRESS"})
		}
		if c.Everything {
			d.cluster(c, finding.Finding{Level: finding.Warning, Code: "may-do-everything",
				Message: "the controller may do everything there: whoever has its token is an administrator of the member",
				Do:      "fedctl join " + c.Object.Name + " --cluster-context CONTEXT --rbac types"})
		}
		if len(c.Others) > 0 {
			d.cluster(c, finding.Finding{Level: finding.Warning, Code: "another-host",
				Message: "another host has joined it, with ServiceAccount " + listed(c.Others) + ": two control planes take each other's objects there for their own",
				Do:      "let one of the hosts end its membership: fedctl unjoin " + c.Object.Name + " --host-cluster-context HOST --cluster-context CONTEXT; where that host is lost: fedctl join " + c.Object.Name + " --cluster-context CONTEXT --take-over"})
		}
		d.autoscalers(c)
		if c.Skew.Abs() > mostSkew {
			ahead := "ahead of"
			if c.Skew < 0 {
				ahead = "behind"
			}
			d.cluster(c, finding.Finding{Level: finding.Warning, Code: "clock-skew",
				Message: fmt.Sprintf("its API server's clock is %s %s the host's", c.Skew.Abs().Round(time.Second), ahead), Do: "set the clocks by NTP"})
		}
	}
}

// autoscalers tells of a member where nobody can tell an autoscaler's number from another, if it
// has objects with replicas.
func (d *diagnosis) autoscalers(c *Cluster) {
	if c.AutoscalersUnread == "" || d.in.Troubles == nil || !d.in.Troubles.replicated[c.Object.Name] {
		return
	}
	d.cluster(c, finding.Finding{Level: finding.Warning, Code: "autoscalers-unreadable",
		Message: c.AutoscalersUnread + ": replicas that somebody sets there are left as they are, and no other number of the template's is sent after that",
		Do:      "fedctl join " + c.Object.Name + " --cluster-context CONTEXT"})
}

// capacities are what is not known of members that are ready: what was known last is gone by,
// such as for the tolerations that are derived from it.
func (d *diagnosis) capacities() {
	for i := range d.in.Capacities {
		c := &d.in.Capacities[i]
		ready := slices.ContainsFunc(d.in.Clusters, func(cluster Cluster) bool {
			return cluster.Object.Name == c.Name && reach.IsReady(&cluster.Object)
		})
		if !ready {
			continue // that is what is wrong
		}
		unknown := slices.DeleteFunc(slices.Clone(c.Conditions), func(condition metav1.Condition) bool {
			return condition.Reason == clusterv1alpha1.ReasonNotFollowed || condition.Reason == clusterv1alpha1.ReasonListing
		})
		d.conditions(finding.Warning, "clustercapacity", c.Name, unknown, "kubectl -n "+d.in.Namespace+" describe clustercapacity "+c.Name+"; what the controller may not read: fedctl join "+c.Name+" --cluster-context CONTEXT")
	}
}

// listed are the first names of a list that a member has told.
func listed(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func (d *diagnosis) cluster(c *Cluster, f finding.Finding) {
	f.Subject, f.Objects = "kubefedcluster", []string{c.Object.Name}
	d.find(f)
}

func (d *diagnosis) readiness(c *Cluster) {
	row := view.Cluster(&c.Object)
	again := "fedctl join " + c.Object.Name + " --cluster-context CONTEXT"
	if at := c.Object.DeletionTimestamp; at != nil {
		d.cluster(c, finding.Finding{Level: finding.Warning, Code: "leaving", Since: at, Message: "it is being deleted", Do: "fedctl unjoin " + c.Object.Name + " --force, if nobody ends it"})
	}
	var since *metav1.Time
	for _, condition := range c.Object.Status.Conditions {
		if condition.LastTransitionTime != nil && (since == nil || since.Before(condition.LastTransitionTime)) {
			since = condition.LastTransitionTime
		}
	}
	switch {
	case row.Ready == "True":
	case row.Reason == view.AwaitsJoin:
		d.cluster(c, finding.Finding{Level: finding.Failure, Code: "cluster-awaits-join", Message: view.AwaitsJoinMessage, Do: again + " --take-over, which ends what the other host may do there"})
	case row.Ready == view.Unknown:
		d.cluster(c, finding.Finding{Level: finding.Failure, Code: "cluster-not-probed", Message: "the controller has not looked at it", Do: "look whether the controller runs, then " + again})
	default:
		d.cluster(c, finding.Finding{Level: finding.Failure, Code: "cluster-not-ready", Since: since,
			Message: row.Reason + ": " + row.Message, Do: "mend what it says; where its authority or account is another one now: " + again + ", and with --api-endpoint ADDRESS where its address is"})
	}
}

func (d *diagnosis) token(c *Cluster) {
	row := view.Cluster(&c.Object)
	again := "fedctl join " + c.Object.Name + " --cluster-context CONTEXT"
	expires, err := time.Parse(time.RFC3339, row.TokenExpires)
	left := expires.Sub(d.in.Now)
	switch {
	case row.TokenExpires == "" && row.Ready == "True" && c.TokenKnown && c.TokenLifetime == 0:
		d.cluster(c, finding.Finding{Level: finding.Note, Code: "token-never-expires", Message: "its token never ends", Do: again + " --token-lifetime 24h lets the controller renew it"})
	case err != nil:
	case left <= 0:
		d.cluster(c, finding.Finding{Level: finding.Failure, Code: "token-expired", Since: &metav1.Time{Time: expires}, Message: "its token has ended", Do: again})
	case c.TokenLifetime > 0 && left < c.TokenLifetime/4:
		d.cluster(c, finding.Finding{Level: finding.Warning, Code: "token-not-renewed", Message: "its token ends at " + row.TokenExpires + " and should have been renewed when half of its life had passed", Do: "see the controller's log; " + again})
	case c.TokenLifetime == 0 && c.TokenKnown && left < longBefore:
		d.cluster(c, finding.Finding{Level: finding.Warning, Code: "token-expires", Message: "its token ends at " + row.TokenExpires + ", and nobody renews it", Do: again + " --token-lifetime 24h"})
	}
}
