package members

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/turns"
)

const (
	// NoContext is the reason for a member to which no context leads.
	NoContext = "NoContext"
	// identifies is how long a cluster may take to say who it is.
	identifies = 10 * time.Second
)

// byContexts finds a context for each of the host's KubeFedClusters that are meant.
func (r *Reacher) byContexts(ctx context.Context) (*Reached, error) {
	host, err := r.factory.HostClient()
	if err != nil {
		return nil, err
	}
	var list fedcorev1beta1.KubeFedClusterList
	err = host.List(ctx, &list, client.InNamespace(r.factory.KubeFedNamespace))
	if meta.IsNoMatchError(err) {
		return nil, fedtypes.ErrNoControlPlane
	} else if err != nil {
		return nil, fmt.Errorf("listing KubeFedClusters: %w", err)
	}
	var asked []*fedcorev1beta1.KubeFedCluster
	for i := range list.Items {
		if kfc := &list.Items[i]; r.choice.Has(kfc.Name, kfc.Labels) {
			asked = append(asked, kfc)
		}
	}
	configs, problems := make([]*rest.Config, len(asked)), make([]error, len(asked))
	turns.New(AtOnce, Soon).Each(ctx, len(asked), func(i int) { configs[i], problems[i] = r.byContext(ctx, asked[i]) })
	found := &Reached{}
	for i, kfc := range asked {
		if problems[i] != nil {
			found.Missing = append(found.Missing, union.Missing{Cluster: kfc.Name, Reason: NoContext, Message: problems[i].Error()})
			continue
		}
		found.Members = append(found.Members, newMember(kfc.Name, configs[i]))
	}
	return found, ctx.Err()
}

// byContext finds the context that leads to a member: those are tried that lead to its
// address, and those that are called as it is, or as "fedctl kubeconfig --merge" calls it.
// Others are not: the user's login there is nobody's business.
func (r *Reacher) byContext(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) (*rest.Config, error) {
	raw, err := r.factory.RawConfig()
	if err != nil {
		return nil, err
	}
	var problems []error
	for _, name := range r.factory.ContextsFor(kfc.Name, kfc.Spec.APIEndpoint) {
		cluster := raw.Clusters[raw.Contexts[name].Cluster]
		if name != kfc.Name && name != r.host+"/"+kfc.Name && (cluster == nil || !reach.SameEndpoint(cluster.Server, kfc.Spec.APIEndpoint)) {
			continue
		}
		config, err := r.factory.ConfigFor(name)
		if err == nil {
			err = leadsTo(ctx, config, kfc)
		}
		if err == nil {
			return config, nil
		}
		problems = append(problems, fmt.Errorf("context %s %s", errtext.Argument(name), errtext.Bounded(err.Error(), errtext.Cluster)))
	}
	if len(problems) == 0 {
		return nil, fmt.Errorf("no context of your kubeconfig is called %s or leads to %s", kfc.Name, errtext.Address(kfc.Spec.APIEndpoint))
	}
	return nil, errors.Join(problems...)
}

// leadsTo says what is wrong with a context for a member. Which cluster answers says the UID of
// its namespace kube-system; the user may not be allowed to read that, and then the
// address and the authority have to be those of the member, where an address tells.
func leadsTo(ctx context.Context, config *rest.Config, kfc *fedcorev1beta1.KubeFedCluster) error {
	uid, err := clusterUID(ctx, config)
	switch {
	case err != nil && !apierrors.IsForbidden(err):
		return fmt.Errorf("does not lead there now: %s", reach.Describe(err, config.Host, identifies))
	case err != nil:
		uid = ""
	}
	return judge(kfc, string(uid), config.Host, config.CAData)
}

// judge compares what answers by a context with the cluster that has joined.
func judge(kfc *fedcorev1beta1.KubeFedCluster, uid, address string, authority []byte) error {
	noted := reach.NotedUID(kfc)
	switch {
	case uid != "" && noted == uid:
		return nil
	case uid != "" && noted != "":
		return fmt.Errorf("leads to another cluster (%s) than the one that has joined (%s)", errtext.Bounded(uid, errtext.Cluster), errtext.Bounded(noted, errtext.Cluster))
	case !tells(address) || !reach.SameEndpoint(address, kfc.Spec.APIEndpoint) || !agree(authority, kfc.Spec.CABundle):
		return errors.New("is not known to lead there: its address is not the member's, and the namespace kube-system, which would tell, cannot be compared")
	}
	return nil
}

// tells says whether an address means one cluster wherever it is used: this machine's own
// does not.
func tells(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return !strings.EqualFold(u.Hostname(), "localhost") && (ip == nil || !ip.IsLoopback())
}

// agree says whether two authorities may be the same: one that is not known may be any.
func agree(a, b []byte) bool {
	a, b = bytes.TrimSpace(a), bytes.TrimSpace(b)
	return len(a) == 0 || len(b) == 0 || bytes.Equal(a, b)
}

// clusterUID asks a cluster who it is.
func clusterUID(ctx context.Context, config *rest.Config) (types.UID, error) {
	ctx, cancel := context.WithTimeout(ctx, identifies)
	defer cancel()
	c, err := kubernetes.NewForConfig(newMember("", rest.CopyConfig(config)).Config)
	if err != nil {
		return "", err
	}
	var namespace *corev1.Namespace
	if namespace, err = c.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{}); err != nil {
		return "", err
	}
	return namespace.UID, nil
}
