package install

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fedctl/fedctl/internal/manifests"
	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// manager is the field manager of what is installed.
const manager = "fedctl-install"

// containers are those of the Deployments in which people choose.
var containers = map[string]string{controllerName: kubefedconfig.ControllerContainer, kubefedconfig.FleetAPI: "fleet-api"}

// keepChoices makes a Deployment of ours what it is where somebody has chosen: the
// image that an earlier install was told, and what others have set since. Each choice that
// stays is said.
func (i *Installer) keepChoices(ctx context.Context, deployment *unstructured.Unstructured) error {
	existing := &unstructured.Unstructured{}
	existing.SetGroupVersionKind(deployment.GroupVersionKind())
	if err := i.Client.Get(ctx, client.ObjectKeyFromObject(deployment), existing); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("Deployment %s: %w", deployment.GetName(), err) //nolint:staticcheck // a kind begins it
	}
	others := setByOthers(existing.GetManagedFields())
	if there, ok := existing.Object["spec"].(map[string]any); ok && has(others, fieldpath.MakePathOrDie("spec", "replicas")) {
		if spec, ok := deployment.Object["spec"].(map[string]any); ok {
			i.keep(deployment.GetName(), spec, there, "replicas", "")
		}
	}
	name := containers[deployment.GetName()]
	container, there := containerOf(deployment, name), containerOf(existing, name)
	if container == nil || there == nil {
		return nil
	}
	for _, field := range []string{"image", "args", "resources"} {
		at := fieldpath.MakePathOrDie("spec", "template", "spec", "containers", fieldpath.KeyByFields("name", name), field)
		switch {
		case field == "image" && i.Image != "":
		case field == "image" && manifests.IsShipped(fmt.Sprint(container[field])) && !manifests.IsShipped(fmt.Sprint(there[field])):
			i.keep(deployment.GetName(), container, there, field, " (--image changes it)")
		case has(others, at):
			i.keep(deployment.GetName(), container, there, field, "")
		}
	}
	return nil
}

// keep takes over a field from what is there, and says so where that is something else.
func (i *Installer) keep(deployment string, object, there map[string]any, field, how string) {
	value, ok := there[field]
	if !ok || fmt.Sprint(value) == fmt.Sprint(object[field]) {
		return
	}
	object[field] = value
	i.say("kept %s %v of deployment.apps/%s%s", field, value, deployment, how)
}

// has says whether a set has a path, or something below it.
func has(set *fieldpath.Set, path fieldpath.Path) bool {
	found := false
	set.Iterate(func(p fieldpath.Path) {
		found = found || len(p) >= len(path) && p[:len(path)].Equals(path)
	})
	return found
}

// setByOthers are the fields that others than install have set.
func setByOthers(entries []metav1.ManagedFieldsEntry) *fieldpath.Set {
	all := fieldpath.NewSet()
	for i := range entries {
		if entries[i].Manager == manager || entries[i].Subresource == "status" || entries[i].FieldsV1 == nil {
			continue
		}
		fields := &fieldpath.Set{}
		if err := fields.FromJSON(bytes.NewReader(entries[i].FieldsV1.GetRawBytes())); err == nil {
			all = all.Union(fields)
		}
	}
	return all
}

// containerOf is a container of a Deployment, to be changed in place; nil if it has none
// of that name.
func containerOf(deployment *unstructured.Unstructured, name string) map[string]any {
	spec, _ := deployment.Object["spec"].(map[string]any)
	template, _ := spec["template"].(map[string]any)
	pod, _ := template["spec"].(map[string]any)
	containers, _ := pod["containers"].([]any)
	i := slices.IndexFunc(containers, func(c any) bool {
		fields, _ := c.(map[string]any)
		return fields["name"] == name
	})
	if i < 0 {
		return nil
	}
	container, _ := containers[i].(map[string]any)
	return container
}
