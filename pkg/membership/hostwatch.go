package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	"github.com/fedctl/fedctl/pkg/reach"
)

// watchHost begins to follow the host cluster's objects. When it returns, all
// KubeFedClusters there are have a member, and it is known which cluster is the
// host.
func (p *Provider) watchHost(ctx context.Context) error {
	if err := p.newHostClients(); err != nil {
		return err
	}
	clusters, err := p.cache.GetInformer(ctx, &fedcorev1beta1.KubeFedCluster{}, cache.BlockUntilSynced(false))
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("the host cluster does not know KubeFedClusters: install fedctl's CRDs with \"fedctl install\": %w", err)
	} else if err != nil {
		return err
	}
	secrets, err := p.cache.GetInformer(ctx, &corev1.Secret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	clusterEvents, err := clusters.AddEventHandler(p.clusterHandler(ctx))
	if err != nil {
		return err
	}
	secretEvents, err := secrets.AddEventHandler(p.secretHandler())
	if err != nil {
		return err
	}
	go func() {
		if err := p.cache.Start(ctx); err != nil {
			p.log.Error(err, "Cache of the host's KubeFedClusters ended")
		}
	}()
	if !toolscache.WaitForCacheSync(ctx.Done(), clusterEvents.HasSynced, secretEvents.HasSynced) {
		return errors.New("the host's KubeFedClusters could not be listed")
	}
	p.synced.Store(true)
	p.notify("")
	return p.learnHostUID(ctx)
}

func (p *Provider) newHostClients() error {
	config, httpClient := p.host.GetConfig(), p.host.GetHTTPClient()
	var err error
	p.client, err = client.New(config, client.Options{Scheme: p.scheme, HTTPClient: httpClient})
	if err != nil {
		return fmt.Errorf("making a client of the host cluster: %w", err)
	}
	p.cache, err = cache.New(config, cache.Options{
		Scheme: p.scheme, HTTPClient: httpClient,
		DefaultNamespaces:           map[string]cache.Config{p.opts.KubeFedNamespace: {}},
		DefaultTransform:            cache.TransformStripManagedFields(),
		ByObject:                    map[client.Object]cache.ByObject{&corev1.Secret{}: {Transform: keepCredentials}},
		ReaderFailOnMissingInformer: true,
	})
	if err != nil {
		return fmt.Errorf("making a cache of the host cluster: %w", err)
	}
	return nil
}

// keepCredentials drops what is not read of a Secret before it is cached.
func keepCredentials(in any) (any, error) {
	secret, ok := in.(*corev1.Secret)
	if !ok {
		return in, nil
	}
	slim := &corev1.Secret{Data: map[string][]byte{}}
	slim.Namespace, slim.Name, slim.UID, slim.ResourceVersion = secret.Namespace, secret.Name, secret.UID, secret.ResourceVersion
	if owner, labelled := secret.Labels[reach.ClusterLabel]; labelled {
		slim.Labels = map[string]string{reach.ClusterLabel: owner}
	}
	if lifetime, renewed := secret.Annotations[reach.TokenLifetimeAnnotation]; renewed {
		slim.Annotations = map[string]string{reach.TokenLifetimeAnnotation: lifetime}
	}
	for _, key := range []string{reach.TokenKey, reach.CAKey} {
		if value, found := secret.Data[key]; found {
			slim.Data[key] = value
		}
	}
	return slim, nil
}

// learnHostUID is tried until it succeeds: no member may be used before it is
// known whether it is the host.
func (p *Provider) learnHostUID(ctx context.Context) error {
	for {
		var namespace corev1.Namespace
		attempt, cancel := context.WithTimeout(ctx, hostTimeout)
		err := p.client.Get(attempt, client.ObjectKey{Name: metav1.NamespaceSystem}, &namespace)
		cancel()
		switch {
		case err == nil:
			p.hostUID = string(namespace.UID)
			return nil
		case apierrors.IsForbidden(err):
			return fmt.Errorf("the controller may not get the host cluster's namespace %s, which it needs to know the host among its members: %w", metav1.NamespaceSystem, err)
		}
		p.log.Error(err, "Could not identify the host cluster; will retry")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// clusterHandler keeps one member per KubeFedCluster. ctx is that of the members.
func (p *Provider) clusterHandler(ctx context.Context) toolscache.ResourceEventHandler {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if kfc, ok := obj.(*fedcorev1beta1.KubeFedCluster); ok {
				p.seen(ctx, kfc)
			}
		},
		UpdateFunc: func(_, obj any) {
			if kfc, ok := obj.(*fedcorev1beta1.KubeFedCluster); ok {
				p.seen(ctx, kfc)
			}
		},
		DeleteFunc: func(obj any) {
			if tombstone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
				obj = tombstone.Obj
			}
			if kfc, ok := obj.(*fedcorev1beta1.KubeFedCluster); ok {
				p.gone(kfc.Name)
			}
		},
	}
}

// seen takes in a KubeFedCluster as it is now.
func (p *Provider) seen(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) {
	p.mu.Lock()
	m := p.members[kfc.Name]
	if m != nil && m.uid != kfc.UID { // deleted and created again between two looks
		m.stop() // before the new one begins
		m = nil
	}
	changed := true
	if m == nil {
		m = newMember(p, kfc)
		p.members[kfc.Name] = m
		p.launch(ctx, m)
	} else {
		identified := reach.NotedUID(m.object) != reach.NotedUID(kfc)
		annotated := m.object.Annotations[reach.CredentialPluginAnnotation] != kfc.Annotations[reach.CredentialPluginAnnotation]
		if identified || annotated || !apiequality.Semantic.DeepEqual(m.object.Spec, kfc.Spec) {
			m.wake()
			p.wakeBarred()
		}
		prune := reach.PruneTime(kfc)
		rights, awaits := reach.NamespaceRights(kfc), reach.AwaitsJoin(kfc)
		renewed := kfc.Annotations[reach.RightsRenewedAnnotation]
		changed = !apiequality.Semantic.DeepEqual(m.info.Labels, kfc.Labels) || !prune.Equal(m.info.Prune) || rights != m.info.NamespaceRights || awaits != m.info.AwaitsJoin || renewed != m.info.RightsRenewed
		m.object, m.info.Labels, m.info.Prune, m.info.NamespaceRights, m.info.AwaitsJoin, m.info.RightsRenewed = kfc, kfc.Labels, prune, rights, awaits, renewed
	}
	p.renewSnapshot()
	p.mu.Unlock()
	p.learn(m, func(facts *Facts) { facts.Scalable = kfc.Annotations[clusterv1alpha1.ScalableAnnotation] })
	if changed {
		p.notify(kfc.Name)
	}
}

// launch starts the member's goroutine. The caller holds the lock.
func (p *Provider) launch(ctx context.Context, m *member) {
	ctx, m.stop = context.WithCancel(ctx)
	if !p.stopping {
		p.running.Go(func() { m.run(ctx) })
	}
}

func (p *Provider) gone(name string) {
	p.mu.Lock()
	m := p.members[name]
	delete(p.members, name)
	p.wakeBarred()
	p.renewSnapshot()
	p.mu.Unlock()
	if m != nil {
		m.stop()
		forgetHealth(name)
		p.notify(name)
	}
}

// secretHandler wakes the members whose credentials have changed.
func (p *Provider) secretHandler() toolscache.ResourceEventHandler {
	changed := func(obj any) {
		if tombstone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
			obj = tombstone.Obj
		}
		if secret, ok := obj.(*corev1.Secret); ok {
			p.wakeUsersOf(secret.Name)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{AddFunc: changed, UpdateFunc: func(_, obj any) { changed(obj) }, DeleteFunc: changed}
}

func (p *Provider) wakeUsersOf(secretName string) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, m := range p.members {
		if m.object.Spec.SecretRef.Name == secretName {
			m.wake()
		}
	}
}
