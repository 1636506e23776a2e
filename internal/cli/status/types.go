package status

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/client-go/discovery"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// request is a type and perhaps a name, as the user wrote them.
type request struct {
	typeName string
	name     string
	// typ is the federated type, once it is resolved.
	typ typeconfig.Type
}

// isFor says whether the row is what the request asks for.
func (r request) isFor(row row) bool {
	return row.Type == r.typ.Name && (r.name == "" || row.Name == r.name)
}

// parseArgs reads TYPE, TYPE NAME..., or TYPE/NAME... as kubectl does.
func parseArgs(args []string) ([]request, error) {
	if len(args) == 0 {
		return nil, nil
	}
	var requests []request
	if !strings.Contains(args[0], "/") {
		for _, typeName := range strings.Split(args[0], ",") {
			if typeName == "" {
				return nil, fmt.Errorf("%q is not a type", args[0])
			}
			if len(args) == 1 {
				requests = append(requests, request{typeName: typeName})
			}
			for _, name := range args[1:] {
				if strings.Contains(name, "/") {
					return nil, fmt.Errorf("%q: after a type come names only, or every argument is TYPE/NAME", name)
				}
				requests = append(requests, request{typeName: typeName, name: name})
			}
		}
		return requests, nil
	}
	for _, arg := range args {
		typeName, name, ok := strings.Cut(arg, "/")
		if !ok || typeName == "" || name == "" || strings.Contains(name, "/") {
			return nil, fmt.Errorf("%q is not TYPE/NAME", arg)
		}
		requests = append(requests, request{typeName: typeName, name: name})
	}
	return requests, nil
}

// resolver finds the type that a word means.
type resolver struct {
	types []typeconfig.Type
	// shortNames returns the short names of a resource; it may ask the server.
	shortNames func(typeconfig.Resource) []string
}

// resolve returns the one type that word means. Names are tried before short
// names, so that no short name hides a type; case does not matter.
func (r resolver) resolve(word string) (typeconfig.Type, error) {
	word = strings.ToLower(word)
	for _, matches := range []func(typeconfig.Type) bool{
		func(t typeconfig.Type) bool { return t.Name == word },
		func(t typeconfig.Type) bool { return isNameOf(t.Federated, word) || isNameOf(t.Target, word) },
		func(t typeconfig.Type) bool {
			return slices.Contains(r.shortNames(t.Federated), word) || slices.Contains(r.shortNames(t.Target), word)
		},
	} {
		var found []typeconfig.Type
		for _, t := range r.types {
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
	return typeconfig.Type{}, fmt.Errorf("%q is not a federated type: enable it with \"fedctl enable %s\", or use one of %s", word, word, typeNames(r.types))
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

// discoveredShortNames asks the server, once for each group and version. A target
// that the host does not serve has none.
func discoveredShortNames(client discovery.DiscoveryInterface) func(typeconfig.Resource) []string {
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

// errNoTypes is what there is to say when nothing is federated yet.
func errNoTypes(namespace string) error {
	return fmt.Errorf("there is no FederatedTypeConfig in namespace %s: enable a type with \"fedctl enable TYPE\", or name the control plane's namespace with --kubefed-namespace", namespace)
}

var errNoControlPlane = errors.New("the host cluster has no control plane: run \"fedctl install\" there first, or choose the host with --host-cluster-context")
