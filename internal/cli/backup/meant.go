package backup

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

// meant asks, at the end of a message, for the object of the namespace that was probably
// meant by a name that none has; it is empty if none comes near.
func (t *target) meant(ctx context.Context, c client.Client, name string, list client.ObjectList) string {
	if c.List(ctx, list, client.InNamespace(t.Namespace)) != nil {
		return ""
	}
	var names []string
	_ = meta.EachListItem(list, func(object runtime.Object) error {
		if accessor, err := meta.Accessor(object); err == nil {
			names = append(names, accessor.GetName())
		}
		return nil
	})
	return content.DidYouMean(content.Meant(name, names))
}
