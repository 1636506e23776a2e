package members

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"
)

// Find reads an object of a member by TYPE/NAME, as kubectl takes it, or a pod by its name.
func Find(ctx context.Context, m Member, namespace, name string) (*unstructured.Unstructured, error) {
	config := rest.CopyConfig(m.Config)
	config.Wrap(func(to http.RoundTripper) http.RoundTripper { return Bound(ctx, to) })
	infos, err := resource.NewBuilder(Getter(config, namespace)).Unstructured().
		NamespaceParam(namespace).DefaultNamespace().ResourceNames("pods", name).Do().Infos()
	if err != nil {
		return nil, err
	}
	if len(infos) != 1 {
		return nil, fmt.Errorf("%s is not one object", name)
	}
	object, isObject := infos[0].Object.(*unstructured.Unstructured)
	if !isObject {
		return nil, fmt.Errorf("%s is not one object", name)
	}
	return object, nil
}
