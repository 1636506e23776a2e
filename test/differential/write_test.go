package differential

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/test/differential/cases"
)

// owner is the field manager of whoever writes the host's objects.
const owner = "kubectl-client-side-apply"

// conflicts bounds the tries to write an object that a controller writes as well.
var conflicts = wait.Backoff{Steps: 50, Duration: 10 * time.Millisecond, Factor: 1.2, Jitter: 0.5, Cap: 300 * time.Millisecond}

func object(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	return newObject(cases.Ref{APIVersion: apiVersion, Kind: kind, Name: name, Namespaced: namespace != ""}, namespace)
}

// unstructuredOf is an object of a case in the types that the client wants.
func unstructuredOf(o cases.Object) *unstructured.Unstructured {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("an object of YAML is one of JSON: %v", err))
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		panic(fmt.Sprintf("the kind of every object has been checked: %v", err))
	}
	return u
}

// write creates an object, or makes one that exists what it says: what it does not
// name goes, but for the status and the finalizers. The members' memory of it may lag
// behind, the host's not: it is waited for.
func (f *fleet) write(ctx context.Context, where *cluster, u *unstructured.Unstructured, manager string) error {
	err := retry.RetryOnConflict(conflicts, func() error {
		there := newObject(cases.Ref{APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Name: u.GetName(), Namespaced: u.GetNamespace() != ""}, u.GetNamespace())
		err := where.Get(ctx, client.ObjectKeyFromObject(u), there)
		if apierrors.IsNotFound(err) {
			next := u.DeepCopy()
			if err := where.Create(ctx, next, client.FieldOwner(manager)); err != nil {
				return err
			}
			return f.catchUp(ctx, where, next)
		}
		if err != nil {
			return err
		}
		next := u.DeepCopy()
		next.SetResourceVersion(there.GetResourceVersion())
		next.SetFinalizers(there.GetFinalizers())
		if status, ok := there.Object["status"]; ok {
			next.Object["status"] = runtime.DeepCopyJSONValue(status)
		}
		if err := where.Update(ctx, next, client.FieldOwner(manager)); err != nil {
			return err
		}
		return f.catchUp(ctx, where, next)
	})
	return described(err, where, u)
}

func (f *fleet) patch(ctx context.Context, where *cluster, u *unstructured.Unstructured, merge map[string]any, manager string) error {
	raw, err := json.Marshal(merge)
	if err != nil {
		return err
	}
	if err := where.Patch(ctx, u, client.RawPatch(types.MergePatchType, raw), client.FieldOwner(manager)); err != nil {
		return described(err, where, u)
	}
	return f.catchUp(ctx, where, u)
}

// remove deletes an object and waits until the memory of the cluster knows.
func (f *fleet) remove(ctx context.Context, where *cluster, u *unstructured.Unstructured) error {
	if err := where.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
		return described(err, where, u)
	}
	uid := u.GetUID()
	if err := where.Delete(ctx, u); err != nil {
		return described(err, where, u)
	}
	return where.until(ctx, u, func(now *unstructured.Unstructured) bool {
		return now == nil || now.GetUID() != uid || now.GetDeletionTimestamp() != nil
	})
}

// catchUp waits until the memory of a cluster holds an object as it was written, or a
// later state of it.
func (f *fleet) catchUp(ctx context.Context, where *cluster, written *unstructured.Unstructured) error {
	before := written.GetResourceVersion()
	return where.until(ctx, written, func(now *unstructured.Unstructured) bool {
		return now != nil && !older(now.GetResourceVersion(), before) || now == nil && f.mayBeGone(ctx, where, written)
	})
}

// mayBeGone says whether an object that the memory does not hold is not there either.
func (f *fleet) mayBeGone(ctx context.Context, where *cluster, u *unstructured.Unstructured) bool {
	return apierrors.IsNotFound(where.Get(ctx, client.ObjectKeyFromObject(u), u.DeepCopy()))
}

// older compares resource versions of one API server.
func older(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }

// until waits until the memory of an object is as wanted.
func (c *cluster) until(ctx context.Context, u *unstructured.Unstructured, is func(now *unstructured.Unstructured) bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ref := cases.Ref{APIVersion: u.GetAPIVersion(), Kind: u.GetKind(), Name: u.GetName(), Namespaced: u.GetNamespace() != ""}
	for {
		now, err := c.find(ctx, ref, u.GetNamespace())
		if err != nil {
			return err
		}
		if is(now) {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%s of cluster %s has not been seen as it was written: %w", ref, c.Name, err)
		}
	}
}

// isRefusal says whether the API server has judged a request and said no.
func isRefusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)
}

func described(err error, where *cluster, u *unstructured.Unstructured) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cluster %s: %s %s/%s: %w", where.Name, u.GetKind(), u.GetNamespace(), u.GetName(), err)
}
