package fleetapi

import (
	"context"
	"time"

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
	for i := range list.Items {
		kfc := &list.Items[i]
		if kfc.Annotations[reach.FleetAccessAnnotation] == "" || notReady(kfc) != "" {
			continue
		}
		err := s.renew(ctx, kfc)
		if err != nil && !apierrors.IsConflict(err) && ctx.Err() == nil {
			klog.ErrorS(err, "Could not renew the token for users of the fleet; will retry", "cluster", kfc.Name)
		}
	}
}

func (s *Server) renew(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.ResponseTimeout)
	defer cancel()
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
