package membership

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/reach"
)

// What the members' goroutines ask of the provider. Each holds the lock for a
// moment only.

// renewSnapshot rebuilds what Clusters returns. The caller holds the lock.
func (p *Provider) renewSnapshot() {
	infos := make([]Info, 0, len(p.members))
	for _, name := range slices.Sorted(maps.Keys(p.members)) {
		infos = append(infos, p.members[name].info)
	}
	p.snapshot.Store(&infos)
}

// update changes a member's Info and tells the subscribers if it differs.
func (p *Provider) update(m *member, change func(*Info)) {
	p.mu.Lock()
	before := m.info
	change(&m.info)
	changed := p.members[m.name] == m && !sameInfo(before, m.info)
	if changed {
		p.renewSnapshot()
	}
	p.mu.Unlock()
	if changed {
		p.notify(m.name)
	}
}

func sameInfo(a, b Info) bool {
	return a.Name == b.Name && a.UID == b.UID && a.Prune.Equal(b.Prune) && a.NamespaceRights == b.NamespaceRights && a.AwaitsJoin == b.AwaitsJoin && a.Probed == b.Probed && a.Ready == b.Ready && a.Reason == b.Reason &&
		a.Message == b.Message && a.Host == b.Host && maps.Equal(a.Labels, b.Labels)
}

func (p *Provider) notify(name string) {
	p.mu.RLock()
	subscribers := slices.Clone(p.subscribers)
	p.mu.RUnlock()
	for _, fn := range subscribers {
		fn(name)
	}
}

// objectOf returns the member's KubeFedCluster, not to be modified, or nil when
// it has been deleted.
func (p *Provider) objectOf(m *member) *fedcorev1beta1.KubeFedCluster {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.members[m.name] != m {
		return nil
	}
	return m.object
}

// secretOf returns the Secret a KubeFedCluster refers to from the cache, or nil.
func (p *Provider) secretOf(ctx context.Context, kfc *fedcorev1beta1.KubeFedCluster) *corev1.Secret {
	var secret corev1.Secret
	err := p.cache.Get(ctx, client.ObjectKey{Namespace: kfc.Namespace, Name: kfc.Spec.SecretRef.Name}, &secret)
	if err != nil {
		if !apierrors.IsNotFound(err) {
			p.log.Error(err, "Could not read a Secret from the cache", "cluster", kfc.Name)
		}
		return nil
	}
	return &secret
}

func (p *Provider) setCluster(m *member, cl cluster.Cluster) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.cluster, m.holds = cl, cl != nil
}

// forgetFound is for a new connection, which may lead elsewhere.
func (p *Provider) forgetFound(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.cluster == nil {
		m.found = identity{}
	}
}

func (p *Provider) setHost(m *member, host bool) {
	p.update(m, func(info *Info) { info.Host = host })
}

// isHost tells whether a connection leads to the host cluster. Where the member
// does not let its identity be read, what join noted of it decides, and failing
// that the endpoint.
func (p *Provider) isHost(c *connection, kfc *fedcorev1beta1.KubeFedCluster) bool {
	uid := c.uid
	if uid == "" {
		uid = reach.NotedUID(kfc)
	}
	if uid == "" {
		return reach.SameEndpoint(c.access.Endpoint, p.host.GetConfig().Host)
	}
	return uid == p.hostUID
}

func (p *Provider) indexesSnapshot() []fieldIndex {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return slices.Clone(p.indexes)
}

func (p *Provider) event(kfc *fedcorev1beta1.KubeFedCluster, kind, reason, message string) {
	p.opts.EventRecorder.Eventf(kfc, nil, kind, reason, "Probe", "%s", message)
}
