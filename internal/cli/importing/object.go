package importing

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/internal/exported"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/serverapply"
)

// state is what there is of an object on this host.
type state int

const (
	missing state = iota
	same
	different
	// fixed is here, and is not changed by an import, whatever it says.
	fixed
)

// fixedKinds are those that are made where they are missing, and left alone where they are:
// definitions are those of the version that is installed here, and a namespace is whose it is.
var fixedKinds = []schema.GroupVersionKind{exported.Definition, exported.Namespace, exported.Role, exported.Binding}

// settings are those that an installation has made with its own defaults.
var settings = []schema.GroupVersionKind{exported.TypeConfig, exported.Config}

// look finds out what there is of an object. found is nil if there is nothing.
func (i *importing) look(ctx context.Context, u *unstructured.Unstructured) (s state, found *unstructured.Unstructured, err error) {
	gk := u.GroupVersionKind().GroupKind()
	if there := i.there[gk]; there != nil && !there[client.ObjectKeyFromObject(u)] {
		return missing, nil, nil
	}
	return i.lookAgain(ctx, u)
}

// lookAgain is look where the host has to be asked.
func (i *importing) lookAgain(ctx context.Context, u *unstructured.Unstructured) (s state, found *unstructured.Unstructured, err error) {
	found = &unstructured.Unstructured{}
	found.SetGroupVersionKind(u.GroupVersionKind())
	err = i.host.Get(ctx, client.ObjectKeyFromObject(u), found)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		return missing, nil, nil
	case err != nil:
		return missing, nil, fmt.Errorf("reading %s: %w", serverapply.Describe(u), err)
	case slices.Contains(fixedKinds, u.GroupVersionKind()):
		return fixed, found, nil
	case u.GroupVersionKind() == exported.Cluster:
		return cluster(u, found), found, nil
	case found.GetDeletionTimestamp() != nil:
		return missing, found, fmt.Errorf("%s is being deleted on this host: wait until it is gone", serverapply.Describe(u))
	case u.GroupVersionKind() == exported.Capacity && sameCapacity(u, found), exported.Same(u, found):
		return same, found, nil
	}
	return different, found, nil
}

// sameCapacity does not count what is written by those who look at what is free.
func sameCapacity(u, found *unstructured.Unstructured) bool {
	a, b := u.DeepCopy(), found.DeepCopy()
	exported.WithoutPassing(a, time.Now())
	exported.WithoutPassing(b, time.Now())
	return exported.Same(a, b)
}

// cluster compares KubeFedClusters: joining may have found another address.
func cluster(u, found *unstructured.Unstructured) state {
	a, b := exported.Portable(u), exported.Portable(found)
	for _, side := range []*unstructured.Unstructured{a, b} {
		delete(side.Object, "spec")
		annotations := side.GetAnnotations()
		delete(annotations, reach.NamespaceRightsAnnotation)
		delete(annotations, reach.ClusterUIDAnnotation)
		side.SetAnnotations(annotations)
	}
	if exported.Same(a, b) {
		return same
	}
	return different
}

// isOther says whether a KubeFedCluster of this name leads to another cluster than that of
// the export.
func isOther(u, found *unstructured.Unstructured) bool {
	a, b := u.GetAnnotations()[reach.ClusterUIDAnnotation], found.GetAnnotations()[reach.ClusterUIDAnnotation]
	return u.GroupVersionKind() == exported.Cluster && a != "" && b != "" && a != b
}

// ready returns an object as it is created here.
func (i *importing) ready(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := u.DeepCopy()
	delete(out.Object, "status")
	switch u.GroupVersionKind() {
	case exported.Cluster:
		annotations := out.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[reach.AwaitsJoinAnnotation] = "true"
		out.SetAnnotations(annotations)
	case exported.Capacity:
		if uid := i.clusters[u.GetName()]; uid != "" { // it goes with its cluster
			out.SetOwnerReferences([]metav1.OwnerReference{{
				APIVersion: exported.Cluster.GroupVersion().String(), Kind: exported.Cluster.Kind, Name: u.GetName(), UID: uid,
			}})
		}
	}
	return out
}

// become makes what is here what the export says. What the server and others have written
// beside that stays.
func become(u, found *unstructured.Unstructured) *unstructured.Unstructured {
	out := found.DeepCopy()
	was := exported.Portable(found)
	for field := range was.Object {
		if field != "metadata" {
			delete(out.Object, field)
		}
	}
	for field, value := range u.DeepCopy().Object {
		if field != "metadata" && field != "status" {
			out.Object[field] = value
		}
	}
	if u.GroupVersionKind() == exported.Cluster {
		out.Object["spec"] = found.DeepCopy().Object["spec"] // as joining has found it
	}
	out.SetLabels(replaced(out.GetLabels(), was.GetLabels(), u.GetLabels()))
	out.SetAnnotations(replaced(out.GetAnnotations(), was.GetAnnotations(), u.GetAnnotations()))
	if u.GroupVersionKind() == exported.Cluster {
		for _, key := range []string{reach.NamespaceRightsAnnotation, reach.ClusterUIDAnnotation} {
			keepValue(out, found, key)
		}
	}
	return out
}

// replaced is all without what others have written there, and with what is wanted.
func replaced(all, written, wanted map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range all {
		if _, ours := written[key]; !ours {
			out[key] = value
		}
	}
	for key, value := range wanted {
		out[key] = value
	}
	return out
}

func keepValue(out, found *unstructured.Unstructured, key string) {
	annotations := out.GetAnnotations()
	delete(annotations, key)
	if value, there := found.GetAnnotations()[key]; there {
		annotations[key] = value
	}
	out.SetAnnotations(annotations)
}
