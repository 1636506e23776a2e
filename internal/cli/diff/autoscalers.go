package diff

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/autoscaler"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleet"
	"github.com/fedctl/fedctl/pkg/propagation/member"
)

// pageSize is how many autoscalers a member is asked for at once.
const pageSize = 500

// scalers finds what decides on replicas in a member.
type scalers struct {
	objects dynamic.Interface
	served  fleet.Discovery
}

// decideReplicas leaves the replicas to the cluster where an autoscaler decides on those of an
// object that is there: one that the status does not tell of, since the object has not been
// federated yet or the autoscaler has just come. It says whether that changes what is sent.
func (d *dialled) decideReplicas(ctx context.Context, p *preview.Preview, cluster *preview.Cluster, before, after *unstructured.Unstructured) (changed bool) {
	if d.scalers == nil || cluster.Rendered.Replicas == nil || cluster.Rendered.LeavesReplicas || !rescales(before, after) {
		return false
	}
	found := d.scalers.of(ctx, autoscaler.Target{GroupKind: p.Type.Target.GVK.GroupKind(), Name: p.TargetKey().Name}, before.GetNamespace(), cluster.Cluster)
	return p.DecideReplicas(cluster, found, member.LiveOf(before).Scaled)
}

// rescales says whether an object has other replicas afterwards. Of most it does not, and
// nobody is asked for autoscalers.
func rescales(before, after *unstructured.Unstructured) bool {
	if before == nil || after == nil {
		return false
	}
	is, has, _ := unstructured.NestedFieldNoCopy(before.Object, "spec", "replicas")
	willBe, _, _ := unstructured.NestedFieldNoCopy(after.Object, "spec", "replicas")
	return has && is != willBe
}

// of finds the autoscalers of a target's replicas. Those of its requests change nothing that is
// shown.
func (s *scalers) of(ctx context.Context, target autoscaler.Target, namespace, cluster string) (found autoscaler.Found) {
	found.RequestsUnknown = true
	kinds := autoscaler.Kinds()
	for i := range kinds {
		kind := &kinds[i]
		if kind.Owns != autoscaler.Replicas {
			continue
		}
		titles, err := s.titles(ctx, kind, target, namespace)
		if found.Replicas = append(found.Replicas, titles...); err != nil && found.Unreadable == "" {
			found.Unreadable = kind.Name() + " cannot be read: " + errtext.InMember(err, cluster)
		}
	}
	return found
}

// titles are those of the autoscalers of a kind that have the target. A list without an end is
// an error.
func (s *scalers) titles(ctx context.Context, kind *autoscaler.Kind, target autoscaler.Target, namespace string) (titles []string, err error) {
	ctx, cancel := context.WithTimeout(answers.WithPages(ctx, &answers.Pages{}), patience)
	defer cancel()
	resource := kind.GroupVersionResource
	list := s.served.List(resource, func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return s.objects.Resource(resource).Namespace(namespace).List(ctx, options)
	})
	for options := (metav1.ListOptions{Limit: pageSize}); ; {
		page, err := list(ctx, options)
		switch {
		case apierrors.IsNotFound(err) && s.served.WhyNotFound(resource)(ctx, err).Undefined:
			return titles, nil
		case err != nil:
			return titles, err
		}
		listed, ok := page.(*unstructured.UnstructuredList)
		if !ok {
			return titles, fmt.Errorf("the list is a %T", page)
		}
		for i := range listed.Items {
			if item := &listed.Items[i]; kind.TargetOf(item.Object) == target {
				titles = append(titles, kind.Title(item))
			}
		}
		if options.Continue = listed.GetContinue(); options.Continue == "" {
			return titles, nil
		}
	}
}
