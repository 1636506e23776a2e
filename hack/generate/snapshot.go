package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
)

// snapshot saves the schemas of the default targets that an API server serves,
// with everything they refer to.
func snapshot(context string) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
	if err != nil {
		return err
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	paths, err := client.OpenAPIV3().Paths()
	if err != nil {
		return err
	}
	kinds := map[schema.GroupVersion][]string{}
	for _, t := range defaultTypes {
		if t.CRD == "" {
			gv := schema.GroupVersion{Group: t.Group, Version: t.Version}
			kinds[gv] = append(kinds[gv], t.Kind)
		}
	}
	for gv, wanted := range kinds {
		path := "apis/" + gv.String()
		if gv.Group == "" {
			path = "api/" + gv.Version
		}
		data, err := paths[path].Schema("application/json")
		if err != nil {
			return err
		}
		if data, err = reduce(data, gv, wanted); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(snapshotFile(gv)), 0o755); err != nil { //nolint:gosec // part of the repository, for all to read
			return err
		}
		if err := os.WriteFile(snapshotFile(gv), data, 0o644); err != nil { //nolint:gosec // part of the repository, for all to read
			return err
		}
	}
	return nil
}

// reduce keeps the schemas of some kinds and what they refer to, of a whole
// OpenAPI document.
func reduce(document []byte, gv schema.GroupVersion, kinds []string) ([]byte, error) {
	var in struct {
		OpenAPI    string          `json:"openapi"`
		Info       json.RawMessage `json:"info"`
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(document, &in); err != nil {
		return nil, err
	}
	kept := map[string]map[string]any{}
	var keep func(name string)
	keep = func(name string) {
		if _, done := kept[name]; done {
			return
		}
		kept[name] = in.Components.Schemas[name]
		references(kept[name], keep)
	}
	for name, definition := range in.Components.Schemas {
		entries, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, kind := range kinds {
			for _, entry := range entries {
				gvk, _ := entry.(map[string]any)
				if gvk["group"] == gv.Group && gvk["version"] == gv.Version && gvk["kind"] == kind {
					delete(definition["properties"].(map[string]any), "status") // no part of a template
					keep(name)
				}
			}
		}
	}
	in.Components.Schemas = kept
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(in)
	return out.Bytes(), err
}

// references calls visit with the name of every definition that a schema refers to.
func references(value any, visit func(string)) {
	switch value := value.(type) {
	case map[string]any:
		if ref, ok := value["$ref"].(string); ok {
			visit(ref[strings.LastIndex(ref, "/")+1:])
		}
		for _, field := range value {
			references(field, visit)
		}
	case []any:
		for _, item := range value {
			references(item, visit)
		}
	}
}
