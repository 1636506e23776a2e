package prune

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"

	"github.com/fedctl/fedctl/internal/cli/fedtypes"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/propagation/ledger"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// leftover is an object that the cluster held when it joined and no placement selects.
type leftover struct {
	typ             typeconfig.Type
	namespace, name string // of the federated object
	since           time.Time
}

// target is namespace and name of the object in the cluster.
func (l leftover) target() string {
	if l.namespace == "" || l.typ.IsNamespace || !l.typ.Target.Namespaced {
		return l.name
	}
	return l.namespace + "/" + l.name
}

// String names the object in the cluster.
func (l leftover) String() string { return l.typ.Target.GVK.Kind + " " + l.target() }

// resourceName is what kubectl calls it.
func (l leftover) resourceName() string {
	name := strings.ToLower(l.typ.Target.GVK.Kind)
	if group := l.typ.Target.GVK.Group; group != "" {
		name += "." + group
	}
	return name + "/" + l.name
}

// find reads the controller's record: the status of the federated objects.
func (o *Options) find(ctx context.Context) ([]leftover, error) {
	types, err := fedtypes.List(ctx, o.host, o.factory)
	if err != nil {
		return nil, err
	}
	var found []leftover
	for _, t := range types {
		resource := o.dynamic.Resource(t.Federated.GVR)
		pages := pager.New(pager.SimplePageFunc(func(options metav1.ListOptions) (runtime.Object, error) { return resource.List(ctx, options) }))
		err := pages.EachListItem(ctx, metav1.ListOptions{}, func(item runtime.Object) error {
			u, ok := item.(*unstructured.Unstructured)
			if !ok {
				return nil
			}
			if c := o.recorded(u); c != nil && c.Status == federate.NotSelected {
				found = append(found, leftover{typ: t, namespace: u.GetNamespace(), name: u.GetName(), since: ledger.FoundAt(c.Version)})
			}
			return nil
		})
		if err != nil && !apierrors.IsNotFound(err) { // a type that is not served has no objects
			return nil, fmt.Errorf("listing %s: %w", t.CRDName(), err)
		}
	}
	return found, nil
}

// recorded is what the status of a federated object says of the cluster; nil: nothing.
func (o *Options) recorded(u *unstructured.Unstructured) *federate.ClusterStatus {
	status := federate.ParseStatus(u.Object["status"])
	return status.Cluster(o.Cluster)
}

// state is what has become of an object that is to go.
type state int

const (
	gone state = iota
	leaves
	selected
)

func (o *Options) stateOf(ctx context.Context, l leftover) (state, error) {
	resource := o.dynamic.Resource(l.typ.Federated.GVR)
	u, err := resource.Namespace(l.namespace).Get(ctx, l.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return gone, nil
	} else if err != nil {
		return leaves, fmt.Errorf("reading %s %s: %w", l.typ.Federated.GVK.Kind, l.name, err)
	}
	switch c := o.recorded(u); {
	case c == nil:
		return gone, nil
	case c.Status == federate.ClusterPropagationOK, c.Status == federate.Completed:
		return selected, nil
	}
	return leaves, nil
}
