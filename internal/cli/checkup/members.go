package checkup

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/join"
	"github.com/fedctl/fedctl/pkg/reach"
)

// patience is how long a member may take to answer.
const patience = 5 * time.Second

// clusters reads the members, and asks those that are ready.
func (g *gatherer) clusters(ctx context.Context) {
	var list fedcorev1beta1.KubeFedClusterList
	g.unreadable("KubeFedCluster", "", g.host.List(ctx, &list, client.InNamespace(g.namespace)))
	g.learnUID(ctx)
	rows := make([]diagnosis.Cluster, len(list.Items))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := range list.Items {
		rows[i].Object = list.Items[i]
		group.Go(func() error { g.ask(ctx, &rows[i]); return nil })
	}
	_ = group.Wait() // what went wrong is noted
	slices.SortFunc(rows, func(a, b diagnosis.Cluster) int { return strings.Compare(a.Object.Name, b.Object.Name) })
	g.in.Clusters = rows
}

// ask asks a member what the control plane may do there, and what time it is.
func (g *gatherer) ask(ctx context.Context, c *diagnosis.Cluster) {
	kfc := &c.Object
	secret, err := cmdutil.Credentials(ctx, g.host, kfc)
	if err != nil {
		g.unreadable("Secret", kfc.Namespace+"/"+kfc.Spec.SecretRef.Name, err)
		return
	}
	if secret != nil {
		c.TokenLifetime, c.TokenKnown = reach.TokenLifetime(secret), true
	}
	if row := view.Cluster(kfc); row.Ready != "True" {
		return // it is told of as it is
	}
	config, err := reach.ClientConfig(kfc, secret, patience)
	if err != nil {
		c.Silent = err.Error()
		return
	}
	config.WarningHandler = rest.NoWarnings{}
	memberClock := &clock{}
	config.Wrap(memberClock.wrap)
	asked, err := kubernetes.NewForConfig(config)
	if err != nil {
		c.Silent = err.Error()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	review, err := asked.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "*", Group: "*", Resource: "*"}}}, metav1.CreateOptions{})
	if err != nil {
		c.Silent = reach.Describe(err, kfc.Spec.APIEndpoint, patience)
		return
	}
	c.Everything, c.Skew = review.Status.Allowed, memberClock.ahead()-g.clock.ahead()
	if c.Others, err = g.otherHosts(ctx, asked, kfc); err != nil {
		c.Silent = reach.Describe(err, kfc.Spec.APIEndpoint, patience)
		return
	}
	c.AutoscalersUnread = g.autoscalers(ctx, config, asked.Discovery().RESTClient(), kfc.Name)
}

// otherHosts are the accounts of other hosts in the namespace where a member has this
// host's. A control plane that does not federate ServiceAccounts may not ask.
func (g *gatherer) otherHosts(ctx context.Context, member kubernetes.Interface, kfc *fedcorev1beta1.KubeFedCluster) (others []string, err error) {
	namespace, _, _ := strings.Cut(kfc.Annotations[join.ServiceAccountAnnotation], "/")
	page := metav1.ListOptions{Limit: pageSize}
	for range mostPages {
		accounts, err := member.CoreV1().ServiceAccounts(cmp.Or(namespace, kfc.Namespace)).List(ctx, page)
		if apierrors.IsForbidden(err) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		others = append(others, join.OthersOf(accounts.Items, g.uid)...)
		if page.Continue = accounts.Continue; page.Continue == "" {
			return others, nil
		}
	}
	g.unreadable("ServiceAccount", "", fmt.Errorf("%s has more than %d of them: not all were looked at for other hosts", kfc.Name, mostPages*pageSize))
	return others, nil
}

// learnUID reads by what accounts in members say that they are this host's.
func (g *gatherer) learnUID(ctx context.Context) {
	system := &corev1.Namespace{}
	err := g.host.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, system)
	g.unreadable("Namespace", metav1.NamespaceSystem, err)
	g.uid = string(system.UID)
}

// clock reads a server's clock from the dates of its answers, which are whole seconds.
type clock struct {
	mu sync.Mutex
	by time.Duration
}

// ahead is how far the server's clock was ahead of ours.
func (c *clock) ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by
}

func (c *clock) wrap(next http.RoundTripper) http.RoundTripper { return &watched{clock: c, next: next} }

// watched looks at the dates of the answers that pass.
type watched struct {
	clock *clock
	next  http.RoundTripper
}

// WrappedRoundTripper lets client-go find what it wants to close.
func (w *watched) WrappedRoundTripper() http.RoundTripper { return w.next }

func (w *watched) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(request)
	if err != nil {
		return response, err
	}
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		w.clock.mu.Lock()
		w.clock.by = time.Until(date)
		w.clock.mu.Unlock()
	}
	return response, nil
}
