package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/internal/rollups"
	"github.com/fedctl/fedctl/pkg/serverapply"
	"github.com/fedctl/fedctl/pkg/typeconfig"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
	"github.com/fedctl/fedctl/pkg/typeconfig/enablement"
)

// defaultType is a target that is federated unless somebody disables it.
type defaultType struct {
	metav1.APIResource
	// CRD is the file of the target's definition, for targets of our own.
	CRD string
}

var defaultTypes = []defaultType{
	{APIResource: target("", "v1", "ConfigMap", "configmaps", true, "cm")},
	{APIResource: target("", "v1", "Namespace", "namespaces", false, "ns")},
	{APIResource: target("", "v1", "Secret", "secrets", true)},
	{APIResource: target("", "v1", "Service", "services", true, "svc")},
	{APIResource: target("", "v1", "ServiceAccount", "serviceaccounts", true, "sa")},
	{APIResource: target("apps", "v1", "Deployment", "deployments", true, "deploy")},
	{APIResource: target("apps", "v1", "ReplicaSet", "replicasets", true, "rs")},
	{APIResource: target("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, "hpa")},
	{APIResource: target("batch", "v1", "Job", "jobs", true)},
	{APIResource: target("networking.k8s.io", "v1", "Ingress", "ingresses", true, "ing")},
	{APIResource: target("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false)},
	{
		APIResource: target("backup.fedctl.io", "v1alpha1", "Backup", "backups", true, "bk"),
		CRD:         "config/crd/backup/backup.fedctl.io_backups.yaml",
	},
}

func target(group, version, kind, plural string, namespaced bool, shortNames ...string) metav1.APIResource {
	return metav1.APIResource{
		Group: group, Version: version, Kind: kind, Name: plural, Namespaced: namespaced, ShortNames: shortNames,
	}
}

// federatedTypes writes the definitions and configurations of the default types.
func federatedTypes() error {
	crds, types := filepath.Join("config", "crd", "types"), filepath.Join("config", "types")
	for _, dir := range []string{crds, types} {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // part of the repository, for all to read
			return err
		}
	}
	var names []string
	for _, t := range defaultTypes {
		config := enablement.TypeConfigFor(t.APIResource, enablement.Directive{})
		if _, ok := rollups.Schemas()[schema.GroupKind{Group: t.Group, Kind: t.Kind}]; ok {
			enablement.CollectStatus(config)
		}
		crd, err := federatedCRD(t, config)
		if err != nil {
			return fmt.Errorf("%s: %w", config.Name, err)
		}
		names = append(names, config.Name+".yaml")
		if err := write(filepath.Join(types, config.Name+".yaml"), config); err != nil {
			return err
		}
		if err := write(filepath.Join(crds, crd.Name+".yaml"), crd); err != nil {
			return err
		}
	}
	if err := writeKustomization(filepath.Join(types, "kustomization.yaml"), names); err != nil {
		return err
	}
	return crdKustomization()
}

func federatedCRD(t defaultType, config *fedcorev1beta1.FederatedTypeConfig) (*apiextensionsv1.CustomResourceDefinition, error) {
	federated, err := typeconfig.FromFederatedTypeConfig(config)
	if err != nil {
		return nil, err
	}
	definitions, err := t.definitions()
	if err != nil {
		return nil, err
	}
	in := definition.Input{Type: federated, ShortNames: t.ShortNames, Definitions: definitions}
	if rollup, ok := rollups.Schemas()[federated.Target.GVK.GroupKind()]; ok {
		in.Rollup = &rollup
	}
	return definition.Generate(in), nil
}

// definitions returns the schema of the target and what it refers to.
func (t *defaultType) definitions() (map[string]*spec.Schema, error) {
	if t.CRD == "" {
		data, err := os.ReadFile(snapshotFile(schema.GroupVersion{Group: t.Group, Version: t.Version}))
		if err != nil {
			return nil, err
		}
		return definition.ParseDefinitions(data)
	}
	data, err := os.ReadFile(t.CRD)
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &crd); err != nil {
		return nil, err
	}
	return definition.CRDDefinitions(&crd, t.Version)
}

// crdKustomization lists all definitions there are.
func crdKustomization() error {
	dir := filepath.Join("config", "crd")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.yaml"))
	if err != nil {
		return err
	}
	for i, file := range files {
		if files[i], err = filepath.Rel(dir, file); err != nil {
			return err
		}
	}
	return writeKustomization(filepath.Join(dir, "kustomization.yaml"), files)
}

func writeKustomization(file string, resources []string) error {
	slices.Sort(resources)
	var out strings.Builder
	out.WriteString("# Generated by hack/generate.\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
	out.WriteString("resources:\n")
	for _, resource := range resources {
		out.WriteString("- " + filepath.ToSlash(resource) + "\n")
	}
	return os.WriteFile(file, []byte(out.String()), 0o644) //nolint:gosec // part of the repository, for all to read
}

// write writes obj as YAML, without the fields that only a server fills in.
func write(file string, obj runtime.Object) error {
	fields, err := serverapply.FromTyped(obj)
	if err != nil {
		return err
	}
	data, err := yaml.Marshal(fields.Object)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644) //nolint:gosec // part of the repository, for all to read
}

// snapshotFile is where the schemas of a group and version are kept.
func snapshotFile(gv schema.GroupVersion) string {
	name := gv.Group
	if name == "" {
		name = "core"
	}
	return filepath.Join("hack", "generate", "openapi", name+"_"+gv.Version+".json")
}
