package restore

import (
	"context"
	"fmt"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

// maxNamed is how many existing objects the refusal to restore names.
const maxNamed = 5

// refuseExisting looks, before anything is written, for objects that exist. The
// namespaces that objects go to may, and objects in no namespace may if they are
// as they were saved: a definition that both clusters have stands in no way.
func (r *run) refuseExisting(ctx context.Context) error {
	var mu sync.Mutex
	var names []string
	total := 0
	for _, resource := range r.files() {
		if resource.Name() == namespacesName {
			continue
		}
		served, problem := r.serve(ctx, resource)
		if problem != "" {
			continue // no objects of it can exist
		}
		err := r.each(ctx, resource, func(ctx context.Context, s *saved) error {
			if found, err := r.isThere(ctx, resource, served, s); err != nil || !found {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			total++
			if len(names) < maxNamed {
				names = append(names, strings.TrimPrefix(r.namespaces.to(s.namespace)+"/", "/")+s.name+" ("+resource.Name()+")")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if total == 0 {
		return nil
	}
	if total > len(names) {
		names = append(names, fmt.Sprintf("and %d more", total-len(names)))
	}
	return &Error{Reason: ReasonExists, Message: fmt.Sprintf("%d objects exist, so nothing was restored: %s. "+
		"Set existing to Skip or Update, or restore into another namespace", total, strings.Join(names, ", "))}
}

func (r *run) isThere(ctx context.Context, resource, served content.Resource, s *saved) (bool, error) {
	if resource.Name() == "serviceaccounts" && s.name == "default" {
		return false, nil // every namespace has it
	}
	object, prepared, err := r.prepare(resource, served, s, r.options())
	if err != nil || prepared.Skip != "" {
		return false, nil //nolint:nilerr // said when it is restored
	}
	live := newObject(served)
	err = r.retry(ctx, func(ctx context.Context) error { return r.client.Get(ctx, client.ObjectKeyFromObject(object), live) })
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, r.fatal("cannot find out whether "+resource.Name()+"/"+s.name+" exists", err)
	}
	return resource.Namespaced || len(content.Compare(resource, object.Object, live.Object, true)) > 0, nil
}
