package manifests

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/fedctl/fedctl/config"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Options say how the shipped manifests are changed.
type Options struct {
	// Namespace of the control plane.
	Namespace string
	// Scope of the control plane: Cluster, which is also what empty means, or Namespaced.
	Scope string
	// Image of the controller, with tag or digest; empty takes the shipped one of Version.
	Image string
	// Version of the programs, such as v1.2.3. Empty, and what no build says of itself,
	// keeps the tag in config/.
	Version string
	// WithoutController leaves out the controller's Deployment, for a controller
	// that runs elsewhere. Its ServiceAccount and rights stay.
	WithoutController bool
	// ClusterProfiles adds the definition of ClusterProfiles and the right to write them.
	ClusterProfiles bool
}

// The scopes of a control plane, KubeFed's.
const (
	ScopeCluster    = "Cluster"
	ScopeNamespaced = "Namespaced"
)

// Scopes are all there are.
var Scopes = []string{ScopeCluster, ScopeNamespaced}

const controllerImage = "ghcr.io/fedctl/controller"

// unknownVersion is what a build says that does not know which it is.
const unknownVersion = "devel"

// IsShipped says whether an image is the one that manifests name by themselves.
func IsShipped(image string) bool { return parseImage(image).NewName == controllerImage }

// folders are the kustomizations of the whole for each scope; that for one
// namespace stands on the other.
var folders = map[string]string{"": "default", ScopeCluster: "default", ScopeNamespaced: "namespaced"}

// Build builds the control plane and returns its objects in the order they are to be
// applied in.
func Build(options Options) ([]*unstructured.Unstructured, error) {
	folder, known := folders[options.Scope]
	if !known {
		return nil, fmt.Errorf("a control plane has the scope %s or %s, not %q", ScopeCluster, ScopeNamespaced, options.Scope)
	}
	objects, err := build(options, folder)
	if err != nil || !options.ClusterProfiles {
		return objects, err
	}
	profiles, err := build(options, "cluster-profiles")
	if err != nil {
		return nil, err
	}
	objects = append(objects, profiles...)
	sortByRank(objects)
	return objects, nil
}

// build builds one of the shipped kustomizations.
func build(options Options, folder string) ([]*unstructured.Unstructured, error) {
	options.Namespace = cmp.Or(options.Namespace, kubefedconfig.DefaultNamespace)
	files, err := kustomization(options)
	if err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, folder)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, resource := range built.Resources() {
		data, err := resource.AsYAML()
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(data, object); err != nil {
			return nil, err
		}
		if strings.HasPrefix(object.GetKind(), "ValidatingAdmissionPolicy") {
			object.SetNamespace("") // kustomize does not know that these have none
		}
		nameSubjects(object, options.Namespace)
		ownNames(object, options.Namespace)
		objects = append(objects, object)
	}
	sortByRank(objects)
	return objects, nil
}

// nameSubjects has bindings name the namespace as what it is: kustomize writes one that
// consists of digits as a number.
func nameSubjects(object *unstructured.Unstructured, namespace string) {
	subjects, _ := object.Object["subjects"].([]any)
	for _, item := range subjects {
		if subject, ok := item.(map[string]any); ok && subject["kind"] == "ServiceAccount" {
			subject["namespace"] = namespace
		}
	}
}

func sortByRank(objects []*unstructured.Unstructured) {
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return cmp.Compare(rank(a), rank(b)) })
}

// kustomization copies the embedded files into memory, with options written into
// the topmost kustomizations.
func kustomization(options Options) (filesys.FileSystem, error) {
	files := filesys.MakeFsInMemory()
	err := fs.WalkDir(config.Files, ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := config.Files.ReadFile(file)
		if err != nil {
			return err
		}
		switch file {
		case "default/kustomization.yaml", "backup-executor/kustomization.yaml", "backup-rights/kustomization.yaml", "cluster-profiles/kustomization.yaml", "fleet-api/kustomization.yaml":
			data, err = customize(data, options)
		case "namespaced/kustomization.yaml":
			data, err = customize(data, Options{Namespace: options.Namespace})
		}
		if err != nil {
			return err
		}
		return files.WriteFile(file, data)
	})
	return files, err
}

func customize(data []byte, options Options) ([]byte, error) {
	var top types.Kustomization
	if err := yaml.UnmarshalStrict(data, &top); err != nil {
		return nil, err
	}
	top.Namespace = options.Namespace
	if options.WithoutController {
		top.Resources = slices.DeleteFunc(top.Resources, func(resource string) bool { return path.Base(resource) == "manager" })
	}
	switch tag := imageTag(options.Version); {
	case options.Image != "":
		top.Images = append(top.Images, parseImage(options.Image))
	case tag != "":
		top.Images = append(top.Images, types.Image{Name: controllerImage, NewTag: tag})
	}
	return yaml.Marshal(top)
}

// imageTag is the tag that "make image" gives the image of a version. A tag has no plus
// sign, which Go's versions may have ("v1.2.3+dirty").
func imageTag(version string) string {
	if version == unknownVersion {
		return ""
	}
	return strings.ReplaceAll(version, "+", "-")
}

// parseImage splits REPOSITORY[:TAG][@DIGEST]; a colon before a slash is a port.
func parseImage(image string) types.Image {
	out := types.Image{Name: controllerImage}
	if repository, digest, ok := strings.Cut(image, "@"); ok {
		out.NewName, out.Digest = repository, digest
		if tag := strings.LastIndex(repository, ":"); tag > strings.LastIndex(repository, "/") {
			out.NewName = repository[:tag] // the digest says it all
		}
		return out
	}
	out.NewName, out.NewTag = image, "latest"
	if tag := strings.LastIndex(image, ":"); tag > strings.LastIndex(image, "/") {
		out.NewName, out.NewTag = image[:tag], image[tag+1:]
	}
	return out
}

// order lists kinds in the order in which others need them; the rest comes last.
var order = []string{
	"CustomResourceDefinition", "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
	"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "Secret", "KubeFedConfig", "FederatedTypeConfig", "Service",
}

func rank(object *unstructured.Unstructured) int {
	if i := slices.Index(order, object.GetKind()); i >= 0 {
		return i
	}
	return len(order)
}
