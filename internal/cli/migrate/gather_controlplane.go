package migrate

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1alpha1 "sigs.k8s.io/kubefed/pkg/apis/core/v1alpha1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	fedschedulingv1alpha1 "sigs.k8s.io/kubefed/pkg/apis/scheduling/v1alpha1"

	"github.com/fedctl/fedctl/internal/cli/migrate/analysis"
	"github.com/fedctl/fedctl/internal/config"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// lockName is the name of KubeFed's leader lock, whatever it is kept in.
const lockName = analysis.KubeFedController

// secrets reads those that the clusters name, and no other.
func (g *gatherer) secrets(ctx context.Context) {
	for i := range g.in.Clusters {
		name := g.in.Clusters[i].Spec.SecretRef.Name
		if name == "" {
			continue
		}
		secret := &corev1.Secret{}
		err := g.host.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: name}, secret)
		if err != nil && !apierrors.IsNotFound(err) {
			g.unreadable("Secret "+g.namespace+"/"+name, err)
			continue
		}
		if err != nil {
			secret = nil
		}
		g.mu.Lock()
		g.in.Secrets[name] = secret
		g.mu.Unlock()
	}
}

// config reads the KubeFedConfig and tries it as the controller will at its start.
func (g *gatherer) config(ctx context.Context) {
	found := &fedcorev1beta1.KubeFedConfig{}
	if err := g.host.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: kubefedconfig.Name}, found); err != nil {
		g.in.ConfigUnread = !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err)
		g.unreadable("KubeFedConfig "+g.namespace+"/"+kubefedconfig.Name, err)
		return
	}
	g.in.Config = found
	if err := config.New(pflag.NewFlagSet("controller", pflag.ContinueOnError)).Finish(found); err != nil {
		g.in.ConfigError = err.Error()
	}
}

func (g *gatherer) counts(ctx context.Context) {
	core := fedcorev1alpha1.SchemeGroupVersion
	g.count(ctx, core.WithKind("PropagatedVersion"), "propagatedversions")
	g.count(ctx, core.WithKind("ClusterPropagatedVersion"), "clusterpropagatedversions")
	g.count(ctx, core.WithKind("FederatedServiceStatus"), "federatedservicestatuses")
	g.count(ctx, fedschedulingv1alpha1.SchemeGroupVersion.WithKind("ReplicaSchedulingPreference"), "replicaschedulingpreferences")
}

// running reads what of KubeFed and fedctl is installed and runs.
func (g *gatherer) running(ctx context.Context) {
	for _, name := range []string{analysis.KubeFedController, analysis.KubeFedWebhook, analysis.FedctlController} {
		deployment := &appsv1.Deployment{}
		if err := g.host.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: name}, deployment); err != nil {
			g.unreadable("Deployment "+g.namespace+"/"+name, err)
			continue
		}
		want := int32(1) // what no number means
		if deployment.Spec.Replicas != nil {
			want = *deployment.Spec.Replicas
		}
		g.in.Deployments = append(g.in.Deployments, analysis.Deployment{Name: name, Want: want, Ready: deployment.Status.ReadyReplicas})
	}
	g.webhooks(ctx)
	g.locks(ctx)
}

func (g *gatherer) webhooks(ctx context.Context) {
	var validating admissionregistrationv1.ValidatingWebhookConfigurationList
	g.unreadable("ValidatingWebhookConfigurations", g.host.List(ctx, &validating))
	for i := range validating.Items {
		g.webhook("validatingwebhookconfigurations", validating.Items[i].Name)
	}
	var mutating admissionregistrationv1.MutatingWebhookConfigurationList
	g.unreadable("MutatingWebhookConfigurations", g.host.List(ctx, &mutating))
	for i := range mutating.Items {
		g.webhook("mutatingwebhookconfigurations", mutating.Items[i].Name)
	}
}

// webhook notes a configuration if it is KubeFed's for this control plane. Those of
// a control plane of scope Namespaced end in its namespace.
func (g *gatherer) webhook(resource, name string) {
	base := strings.TrimSuffix(name, "-"+g.namespace)
	if slices.Contains([]string{"validations.core.kubefed.io", "validation.core.kubefed.io", "mutation.core.kubefed.io"}, base) {
		g.in.Webhooks = append(g.in.Webhooks, analysis.Webhook{Resource: resource, Name: name})
	}
}

// locks reads KubeFed's leader lock in whatever it may be kept.
func (g *gatherer) locks(ctx context.Context) {
	key := client.ObjectKey{Namespace: g.namespace, Name: lockName}
	for resource, kind := range map[string]string{"configmaps": "ConfigMap", "endpoints": "Endpoints"} {
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: kind})
		if err := g.host.Get(ctx, key, object); err != nil {
			g.unreadable(kind+" "+key.String(), err)
			continue
		}
		var record resourcelock.LeaderElectionRecord
		if json.Unmarshal([]byte(object.Annotations[resourcelock.LeaderElectionRecordAnnotationKey]), &record) == nil {
			g.in.Locks = append(g.in.Locks, analysis.Lock{
				Resource: resource, Holder: record.HolderIdentity, Renewed: record.RenewTime.Time,
				Duration: time.Duration(record.LeaseDurationSeconds) * time.Second,
			})
		}
	}
	lease := &coordinationv1.Lease{}
	if err := g.host.Get(ctx, key, lease); err != nil {
		g.unreadable("Lease "+key.String(), err)
		return
	}
	lock := analysis.Lock{Resource: "leases"}
	if lease.Spec.HolderIdentity != nil {
		lock.Holder = *lease.Spec.HolderIdentity
	}
	if lease.Spec.RenewTime != nil {
		lock.Renewed = lease.Spec.RenewTime.Time
	}
	if lease.Spec.LeaseDurationSeconds != nil {
		lock.Duration = time.Duration(*lease.Spec.LeaseDurationSeconds) * time.Second
	}
	g.in.Locks = append(g.in.Locks, lock)
}
