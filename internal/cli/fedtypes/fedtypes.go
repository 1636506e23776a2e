// Package fedtypes is what the commands that take a federated type share: reading
// the enabled types and the host, finding the one that a word means, completing types,
// names and namespaces. It knows no command.
package fedtypes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/preview"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// ErrNoControlPlane says that the host cluster does not know federated types.
var ErrNoControlPlane = preview.ErrNoControlPlane

// List returns the enabled types, sorted by name; there may be none. Types that
// cannot be read are left out with a warning.
func List(ctx context.Context, host client.Client, f *cmdutil.Factory) ([]typeconfig.Type, error) {
	var configs fedcorev1beta1.FederatedTypeConfigList
	err := host.List(ctx, &configs, client.InNamespace(f.KubeFedNamespace))
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return nil, ErrNoControlPlane
	case err != nil:
		return nil, fmt.Errorf("listing FederatedTypeConfigs in namespace %s: %w", f.KubeFedNamespace, err)
	}
	var types []typeconfig.Type
	for i := range configs.Items {
		t, err := typeconfig.FromFederatedTypeConfig(&configs.Items[i])
		if err != nil {
			_, _ = fmt.Fprintf(f.ErrOut, "warning: %v\n", err)
			continue
		}
		types = append(types, t)
	}
	slices.SortFunc(types, func(a, b typeconfig.Type) int { return strings.Compare(a.Name, b.Name) })
	return types, nil
}

// Read is List for commands that can do nothing without a type: having none is
// an error that says how to enable one.
func Read(ctx context.Context, host client.Client, f *cmdutil.Factory) ([]typeconfig.Type, error) {
	types, err := List(ctx, host, f)
	if err == nil && len(types) == 0 {
		err = fmt.Errorf("there is no FederatedTypeConfig in namespace %s: enable a type with \"fedctl enable TYPE\", or name the control plane's namespace with --kubefed-namespace", f.KubeFedNamespace)
	}
	return types, err
}

// Resolver finds the type that a word means.
type Resolver struct {
	Types []typeconfig.Type
	// ShortNames returns the short names of a resource; it may ask the server.
	ShortNames func(typeconfig.Resource) []string
}

// Resolve returns the one type that word means: the name, plural, kind or a short
// name of the federated type or its target. Names are tried before short names,
// so that no short name hides a type; case does not matter.
func (r Resolver) Resolve(word string) (typeconfig.Type, error) {
	word = strings.ToLower(word)
	for _, matches := range []func(typeconfig.Type) bool{
		func(t typeconfig.Type) bool { return t.Name == word },
		func(t typeconfig.Type) bool { return isNameOf(t.Federated, word) || isNameOf(t.Target, word) },
		func(t typeconfig.Type) bool {
			return slices.Contains(r.ShortNames(t.Federated), word) || slices.Contains(r.ShortNames(t.Target), word)
		},
	} {
		var found []typeconfig.Type
		for _, t := range r.Types {
			if matches(t) {
				found = append(found, t)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return typeconfig.Type{}, fmt.Errorf("%q could be any of %s: use one of these", word, typeNames(found))
		}
	}
	return typeconfig.Type{}, fmt.Errorf("%q is not a federated type: enable it with \"fedctl enable %s\", or use one of %s", word, word, typeNames(r.Types))
}

// ParseTypeAndName reads the arguments TYPE NAME, or TYPE/NAME as kubectl writes it.
func ParseTypeAndName(args []string) (typeName, name string, err error) {
	if len(args) == 1 && strings.Contains(args[0], "/") {
		args = strings.SplitN(args[0], "/", 2)
	}
	switch {
	case len(args) == 0:
		return "", "", errors.New("give the TYPE and the NAME of an object, such as deployments web")
	case len(args) == 1:
		return "", "", fmt.Errorf("give the NAME of the object after the type %q", args[0])
	case len(args) > 2:
		return "", "", fmt.Errorf("give one object: %q is too much", strings.Join(args[2:], " "))
	case args[0] == "" || args[1] == "" || strings.Contains(args[0]+args[1], "/"):
		return "", "", fmt.Errorf("%q is not TYPE NAME", strings.Join(args, " "))
	}
	return args[0], args[1], nil
}

// isNameOf says whether word is the plural or the kind of the resource, alone or
// with its group.
func isNameOf(resource typeconfig.Resource, word string) bool {
	for _, name := range []string{resource.GVR.Resource, strings.ToLower(resource.GVK.Kind)} {
		if word == name || (resource.GVR.Group != "" && word == name+"."+resource.GVR.Group) {
			return true
		}
	}
	return false
}

func typeNames(types []typeconfig.Type) string {
	names := make([]string, len(types))
	for i := range types {
		names[i] = types[i].Name
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// DiscoveredShortNames asks the server, once for each group and version. A target
// that the host does not serve has none.
func DiscoveredShortNames(client discovery.DiscoveryInterface) func(typeconfig.Resource) []string {
	byGroupVersion := map[string]map[string][]string{}
	return func(resource typeconfig.Resource) []string {
		gv := resource.GVR.GroupVersion().String()
		names, asked := byGroupVersion[gv]
		if !asked {
			names = map[string][]string{}
			if list, err := client.ServerResourcesForGroupVersion(gv); err == nil {
				for _, r := range list.APIResources {
					names[r.Name] = r.ShortNames
				}
			}
			byGroupVersion[gv] = names
		}
		return names[resource.GVR.Resource]
	}
}

// ContextNamespace is the namespace that kubectl would use with the host's context.
func ContextNamespace(f *cmdutil.Factory) (string, error) {
	raw, err := f.RawConfig()
	if err != nil {
		return "", err
	}
	name := f.HostClusterContext
	if name == "" {
		name = raw.CurrentContext
	}
	if context := raw.Contexts[name]; context != nil && context.Namespace != "" {
		return context.Namespace, nil
	}
	return "default", nil
}
