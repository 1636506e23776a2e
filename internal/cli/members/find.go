package members

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/rest"
)

// Find reads an object of a member by TYPE/NAME, as kubectl takes it, or a pod by its name.
func Find(ctx context.Context, m Member, namespace, name string) (*unstructured.Unstructured, error) {
	config := rest.CopyConfig(m.Config)
	config.Wrap(func(to http.RoundTripper) http.RoundTripper { return Bound(ctx, to) })
	getter := Getter(config, namespace)
	infos, err := resource.NewBuilder(getter).Unstructured().
		NamespaceParam(namespace).DefaultNamespace().ResourceNames("pods", name).Do().Infos()
	if err != nil {
		if word, _, typed := strings.Cut(name, "/"); typed {
			if _, unknown := KindOf(getter, word); errors.Is(unknown, errNotServed) {
				return nil, unknown
			}
		}
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

// errNotServed is of a type that a member does not know.
var errNotServed = errors.New("it does not serve the type")

// KindOf is what a member calls a type of this name. Types of the host are known by the name of
// what is propagated.
func KindOf(getter genericclioptions.RESTClientGetter, word string) (schema.GroupKind, error) {
	mapper, err := getter.ToRESTMapper()
	if err != nil {
		return schema.GroupKind{}, err
	}
	resource, group := schema.ParseResourceArg(word)
	kind := schema.GroupVersionKind{}
	if resource != nil {
		kind, err = mapper.KindFor(*resource)
	}
	if resource == nil || err != nil {
		kind, err = mapper.KindFor(group.WithVersion(""))
	}
	if meta.IsNoMatchError(err) {
		err = fmt.Errorf("%w %s", errNotServed, word)
		if plain, federated := strings.CutPrefix(strings.ToLower(word), "federated"); federated && plain != "" {
			err = fmt.Errorf("%w, which the host has; there it is %s", err, strings.SplitN(plain, ".", 2)[0])
		}
	}
	return kind.GroupKind(), err
}
