package federate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// source is the host cluster, where the objects are and the federated ones go.
type source struct {
	opts    *Options
	host    *enablement.Host
	dynamic dynamic.Interface
	// types are those that are enabled.
	types []typeconfig.Type
	// served are the types of the host cluster.
	served servedTypes
}

// servedTypes is a discovery that has been asked: looking up names asks no more.
type servedTypes struct {
	lists []*metav1.APIResourceList
	err   error
}

// ServerPreferredResources implements enablement.ResourceLister.
func (s servedTypes) ServerPreferredResources() ([]*metav1.APIResourceList, error) {
	return s.lists, s.err
}

// ServerGroupsAndResources implements enablement.ResourceLister.
func (s servedTypes) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	return nil, s.lists, s.err
}

func (o *Options) newSource(ctx context.Context) (*source, error) {
	config, err := o.factory.HostConfig()
	if err != nil {
		return nil, err
	}
	s := &source{opts: o}
	if s.host, err = fedtypes.NewHost(o.factory); err != nil {
		return nil, err
	}
	if s.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, err
	}
	s.types, err = fedtypes.List(ctx, s.host.Client, o.factory)
	// Printing needs no control plane.
	if err != nil && (o.Output.Format == "" || !errors.Is(err, fedtypes.ErrNoControlPlane)) {
		return nil, err
	}
	s.served.lists, s.served.err = s.host.Discovery.ServerPreferredResources()
	if len(s.served.lists) == 0 && s.served.err != nil {
		return nil, fmt.Errorf("asking the host cluster for its types: %w", s.served.err)
	}
	return s, nil
}

// named is the object that the arguments name.
func (s *source) named(ctx context.Context) (batch, error) {
	o := s.opts
	target, err := enablement.LookupTarget(s.served, o.Type, "")
	if err != nil {
		return batch{}, err
	}
	gr := schema.GroupResource{Group: target.Group, Resource: target.Name}
	if s.isFederated(gr) {
		return batch{}, fmt.Errorf("%s is a federated type itself: give the type of the object that is to be federated", gr)
	}
	if why := refuseKind(schema.GroupKind{Group: target.Group, Kind: target.Kind}); why != "" {
		return batch{}, fmt.Errorf("%s cannot be federated: %s", gr, why)
	}
	b, err := s.batchFor(target)
	if err != nil {
		return batch{}, err
	}
	if o.Contents && !b.typ.IsNamespace {
		return batch{}, fmt.Errorf("--contents goes with namespaces, not with %s", gr)
	}
	namespace := ""
	if b.typ.Target.Namespaced {
		if namespace = o.Namespace; namespace == "" {
			if namespace, err = fedtypes.ContextNamespace(o.factory); err != nil {
				return batch{}, err
			}
		}
	}
	u, err := s.dynamic.Resource(b.typ.Target.GVR).Namespace(namespace).Get(ctx, o.Name, metav1.GetOptions{})
	if err != nil {
		return batch{}, getError(b.typ, namespace, o.Name, err)
	}
	if why := refuseObject(u, o.factory.KubeFedNamespace); why != "" {
		return batch{}, fmt.Errorf("%s %q cannot be federated: %s", u.GetKind(), u.GetName(), why)
	}
	b.objects = append(b.objects, federatedObject(b.typ, u, federate.Strip(u)))
	return b, nil
}

func getError(t typeconfig.Type, namespace, name string, err error) error {
	where, hint := "", ""
	if namespace != "" {
		where, hint = " in namespace "+namespace, ": choose another namespace with -n"
	}
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the host cluster has no %s %q%s%s", t.Target.GVK.Kind, name, where, hint)
	}
	return fmt.Errorf("reading %s %q%s: %w", t.Target.GVK.Kind, name, where, err)
}

// batchFor is an empty batch of the type with this target: as it is enabled, or
// as enabling would make it.
func (s *source) batchFor(target metav1.APIResource) (batch, error) {
	for _, t := range s.types {
		if t.Target.GVR.GroupResource() == (schema.GroupResource{Group: target.Group, Resource: target.Name}) {
			return batch{typ: t, enabled: true}, nil
		}
	}
	t, err := s.opts.disabledType(target)
	return batch{typ: t}, err
}

// isFederated says whether the resource is that of a federated type.
func (s *source) isFederated(gr schema.GroupResource) bool {
	for _, t := range s.types {
		if t.Federated.GVR.GroupResource() == gr {
			return true
		}
	}
	return gr.Group == typeconfig.DefaultFederatedGroup && strings.HasPrefix(gr.Resource, "federated")
}
