package fedtypes

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/typeconfig"
)

func resource(group, version, kind, plural string) typeconfig.Resource {
	gv := schema.GroupVersion{Group: group, Version: version}
	return typeconfig.Resource{GVR: gv.WithResource(plural), GVK: gv.WithKind(kind), Namespaced: true}
}

func federatedType(group, kind, plural string) typeconfig.Type {
	name := plural
	if group != "" {
		name += "." + group
	}
	return typeconfig.Type{
		Name:      name,
		Target:    resource(group, "v1", kind, plural),
		Federated: resource("types.kubefed.io", "v1beta1", "Federated"+kind, "federated"+plural),
	}
}

var types = []typeconfig.Type{
	federatedType("", "ConfigMap", "configmaps"),
	federatedType("apps", "Deployment", "deployments"),
	federatedType("", "Event", "events"),
	federatedType("events.k8s.io", "Event", "events"),
}

func TestResolve(t *testing.T) {
	shortNames := map[string][]string{"deployments": {"deploy"}, "federateddeployments": {"fdeploy"}, "configmaps": {"cm", "deployment"}}
	r := Resolver{Types: types, ShortNames: func(resource typeconfig.Resource) []string { return shortNames[resource.GVR.Resource] }}
	for word, want := range map[string]string{
		"deployments.apps":                      "deployments.apps",
		"deployments":                           "deployments.apps",
		"Deployment":                            "deployments.apps",
		"deployment.apps":                       "deployments.apps",
		"deploy":                                "deployments.apps",
		"fdeploy":                               "deployments.apps",
		"FederatedDeployment":                   "deployments.apps",
		"federateddeployments.types.kubefed.io": "deployments.apps",
		"cm":                                    "configmaps",
		"events":                                "events", // the name of a FederatedTypeConfig
		"events.events.k8s.io":                  "events.events.k8s.io",
		"event":                                 `"event" could be any of events, events.events.k8s.io: use one of these`,
		"pods":                                  `"pods" is not a federated type: enable it with "fedctl enable pods", or use one of configmaps, deployments.apps, events, events.events.k8s.io`,
		"configmaps.apps":                       `"configmaps.apps" is not a federated type: enable it with "fedctl enable configmaps.apps", or use one of configmaps, deployments.apps, events, events.events.k8s.io`,
		"federatedconfigmaps.types.kubefed.io":  "configmaps",
		"federatedconfigmap.types.kubefed.io":   "configmaps",
		"federatedConfigMap.types.kubefed.io":   "configmaps",
		"federateddeployment.types.kubefed.io":  "deployments.apps",
		"federateddeployments.something.elsewhere": `"federateddeployments.something.elsewhere" is not a federated type: enable it with "fedctl enable federateddeployments.something.elsewhere", or use one of configmaps, deployments.apps, events, events.events.k8s.io`,
	} {
		typ, err := r.Resolve(word)
		got := typ.Name
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	// Two types share the plural events, so only their full names tell them apart.
	if got, want := strings.Join(words(types), " "), "configmaps deployments events events.events.k8s.io"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestParseTypeAndName(t *testing.T) {
	for args, want := range map[string]string{
		"":                      "give the TYPE and the NAME of an object, such as deployments web",
		"deployments":           `give the NAME of the object after the type "deployments"`,
		"deployments web":       "{deployments web}",
		"deployments.apps/web":  "{deployments.apps web}",
		"deployments/":          `"deployments " is not TYPE NAME`,
		"deployments/a/b":       `"deployments a/b" is not TYPE NAME`,
		"deployments/web x":     `"deployments/web x" is not TYPE NAME`,
		"deployments web api x": `give one object: "api x" is too much`,
	} {
		typeName, name, err := ParseTypeAndName(strings.Fields(args))
		got := "{" + typeName + " " + name + "}"
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
}
