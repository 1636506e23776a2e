package fleetapi

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/tokens"
)

// renewalPeriod is the time between two looks at the ends of tokens, the shortest of which
// lives ten minutes and is due after five.
const renewalPeriod = time.Minute

const (
	// renewalsAtOnce are under way together: a member that does not answer keeps few others
	// waiting, and not for long.
	renewalsAtOnce = 16
	renewalTimeout = 20 * time.Second
)

// renewTokens has the members make the next tokens before these end, until ctx ends. Of
// several servers that do so at once, one stores its token; the others' just end.
func (s *Server) renewTokens(ctx context.Context) error {
	for {
		s.renewDue(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(renewalPeriod):
		}
	}
}

func (s *Server) renewDue(ctx context.Context) {
	list := &fedcorev1beta1.KubeFedClusterList{}
	if err := s.members.clusters.List(ctx, list, client.InNamespace(s.options.KubeFedNamespace)); err != nil {
		return // the next time
	}
	renewEach(ctx, list.Items, s.renew)
}

// renewEach renews the tokens for those members that let users of the host in, several at a
// time, and returns when all have answered or had their time.
func renewEach(ctx context.Context, members []fedcorev1beta1.KubeFedCluster, renew func(context.Context, *fedcorev1beta1.KubeFedCluster) error) {
	var group errgroup.Group
	group.SetLimit(renewalsAtOnce)
	for i := range members {
		kfc := &members[i]
		if kfc.Annotations[reach.FleetAccessAnnotation] == "" || notReady(kfc) != "" {
			continue
		}
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, renewalTimeout)
			defer cancel()
			err := renew(ctx, kfc)
			if err != nil && !apierrors.IsConflict(err) && !errors.Is(err, context.Canceled) {
				klog.ErrorS(err, "Could not renew the token for users of the fleet; will retry", "cluster", kfc.Name)
			}
			return nil // tried again in the next round
		})
	}
	_ = group.Wait() // none fails
}

func (s *Server) renew(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) error {
	secret, err := s.members.secret(ctx, kfc)
	if err != nil || !tokens.Due(secret, time.Now()) {
		return err
	}
	access, err := reach.FleetAccess(kfc, secret)
	if err != nil {
		return err
	}
	transport := access.Transport(s.options.ResponseTimeout)
	defer transport.CloseIdleConnections()
	member, err := client.New(access.RESTConfig(transport, reach.Client{}), client.Options{Scheme: s.manager.GetScheme(), Mapper: accountsMapper()})
	if err != nil {
		return err
	}
	return tokens.Renew(ctx, s.manager.GetClient(), member, secret)
}

// accountsMapper knows ServiceAccounts, which is all that is asked for: the account may
// ask the member for its next token and for nothing else.
func accountsMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ServiceAccount"), meta.RESTScopeNamespace)
	return mapper
}
