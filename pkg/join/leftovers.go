package join

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
)

// keepNamespace says why the member's KubeFed namespace must stay, or "" when
// nothing is in it but what every namespace has and what is ours. hostUID is the
// UID of the host's KubeFed namespace.
func (s *side) keepNamespace(ctx context.Context, namespace *corev1.Namespace, account string, hostUID types.UID) (string, error) {
	if namespace.UID == hostUID {
		return "it is the control plane's", nil
	}
	foreign, err := s.foreignObjects(ctx, namespace.Name, account)
	if err != nil || len(foreign) == 0 {
		return "", err
	}
	const shown = 3
	if more := len(foreign) - shown; more > 0 {
		foreign = append(foreign[:shown], fmt.Sprintf("%d more", more))
	}
	return "it still holds " + strings.Join(foreign, ", "), nil
}

// foreignObjects lists everything in a namespace that is neither ours nor made
// by Kubernetes in every namespace. What the user may not list counts as foreign.
func (s *side) foreignObjects(ctx context.Context, namespace, account string) ([]string, error) {
	resources, err := s.listableResources()
	if err != nil {
		return nil, err
	}
	lister, err := metadata.NewForConfig(s.config)
	if err != nil {
		return nil, err
	}
	ours := []string{
		"Role " + BackupLeaseRole, "Lease " + v1alpha1.ExecutorLease, // nobody's without another binding or an executor, which would be foreign
		"ServiceAccount default", "ConfigMap kube-root-ca.crt",
	}
	for _, object := range accessObjects(namespace, account) {
		if object.GetNamespace() != "" {
			ours = append(ours, object.GetObjectKind().GroupVersionKind().Kind+" "+object.GetName())
		}
	}
	var foreign []string
	for _, resource := range resources {
		list, err := lister.Resource(resource.gvr).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 50})
		switch {
		case apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err):
			continue
		case apierrors.IsForbidden(err):
			foreign = append(foreign, resource.gvr.Resource+" that you may not list")
			continue
		case err != nil:
			return nil, fmt.Errorf("listing %s: %w", resource.gvr.Resource, err)
		}
		for i := range list.Items {
			if name := resource.kind + " " + list.Items[i].Name; !slices.Contains(ours, name) {
				foreign = append(foreign, name)
			}
		}
	}
	return foreign, nil
}

type listable struct {
	gvr  schema.GroupVersionResource
	kind string
}

// listableResources are the types that objects in a namespace can have. Events
// do not count, nor does what is computed on demand.
func (s *side) listableResources() ([]listable, error) {
	client, err := discovery.NewDiscoveryClientForConfig(s.config)
	if err != nil {
		return nil, err
	}
	lists, err := client.ServerPreferredNamespacedResources()
	if err != nil {
		return nil, err
	}
	var resources []listable
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if r.Kind == "Event" || !slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "delete") {
				continue
			}
			resources = append(resources, listable{gv.WithResource(r.Name), r.Kind})
		}
	}
	return resources, nil
}
