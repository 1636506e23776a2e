package content

import (
	"strconv"
	"strings"
)

// metadataName is the label that each Namespace has with its own name.
const metadataName = "kubernetes.io/metadata.name"

// Reference is a field that named a namespace that moves, and was changed with it.
type Reference struct {
	// Path is a JSON pointer.
	Path string
	// From and To are the namespace that was saved and the one that it is now.
	From, To string
}

// mapNamespaces moves an object into another namespace, and with it what the object
// is known to say of namespaces that move. It returns what it has changed but the
// object's own namespace.
func (o Options) mapNamespaces(resource Resource, object map[string]any) []Reference {
	metadata := mapping(object, "metadata")
	if len(o.NamespaceMapping) == 0 || metadata == nil {
		return nil
	}
	m := mapper{options: o}
	switch {
	case resource.Name() == namespaces:
		metadata["name"] = m.name("", metadata["name"])
		return nil
	case resource.Namespaced:
		if from, ok := metadata["namespace"].(string); ok {
			metadata["namespace"] = o.to(from)
		}
	}
	for _, row := range referencesOf(resource) {
		rewrite(object, tokensOf(row.path), "", m.of(row.form))
	}
	return m.changed
}

// mapper maps the namespaces that fields name.
type mapper struct {
	options Options
	changed []Reference
}

func (m *mapper) of(form form) func(at string, value any) any {
	switch form {
	case formNames:
		return m.names
	case formSelector:
		return m.selector
	case formAccount:
		return m.account
	case formHost:
		return m.host
	default:
		return m.name
	}
}

func (m *mapper) to(at, from string) string {
	to := m.options.to(from)
	if to != from {
		m.changed = append(m.changed, Reference{at, from, to})
	}
	return to
}

func (m *mapper) name(at string, value any) any {
	if from, ok := value.(string); ok {
		return m.to(at, from)
	}
	return value
}

func (m *mapper) names(at string, value any) any {
	return rewrite(value, []string{"*"}, at, m.name)
}

// selector maps a selector of namespaces that selects by name.
func (m *mapper) selector(at string, value any) any {
	selector, ok := value.(map[string]any)
	if !ok {
		return value
	}
	rewrite(selector, []string{"matchLabels", metadataName}, at, m.name)
	list, _ := selector["matchExpressions"].([]any)
	for i := range list {
		if expression, ok := list[i].(map[string]any); ok && expression["key"] == metadataName {
			rewrite(expression, []string{"values", "*"}, at+"/matchExpressions/"+strconv.Itoa(i), m.name)
		}
	}
	return selector
}

const (
	accountPrefix  = "system:serviceaccount:"
	accountsPrefix = "system:serviceaccounts:"
)

// account maps a user that is a ServiceAccount, and the group of all of a namespace.
func (m *mapper) account(at string, value any) any {
	full, _ := value.(string)
	for _, prefix := range []string{accountPrefix, accountsPrefix} {
		if rest, ok := strings.CutPrefix(full, prefix); ok {
			from, account, named := strings.Cut(rest, ":")
			full = prefix + m.to(at, from)
			if named {
				full += ":" + account
			}
			return full
		}
	}
	return value
}

// host maps the DNS name of a Service.
func (m *mapper) host(at string, value any) any {
	full, _ := value.(string)
	parts := strings.Split(full, ".")
	if len(parts) < 3 || parts[2] != "svc" {
		return value
	}
	parts[1] = m.to(at, parts[1])
	return strings.Join(parts, ".")
}
