package chart

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// defaults are what the manifests say of the controller where values say it in the
// chart: these begin as the same.
type defaults struct {
	replicas        int64
	resources       any
	goMemLimit      string
	topologySpread  any
	cacheSizeLimit  string
	imageRepository string
}

const (
	metricsFlag = "--metrics-"
	memoryLimit = "GOMEMLIMIT"
)

// openDeployment puts values into the controller's Deployment, and returns what was there.
func openDeployment(object *unstructured.Unstructured, h *holes) (*defaults, error) {
	spec, err := mapAt(object.Object, "spec")
	if err != nil {
		return nil, err
	}
	d := &defaults{}
	d.replicas, _ = spec["replicas"].(int64)
	spec["replicas"] = h.scalar("$.Values.replicas")
	template, err := mapAt(spec, "template", "metadata")
	if err != nil {
		return nil, err
	}
	for field, value := range map[string]string{"labels": "$.Values.podLabels", "annotations": "$.Values.podAnnotations"} {
		fields, err := mapAt(template, field)
		if err != nil {
			return nil, err
		}
		fields[h.entries(value)] = ""
	}
	pod, err := mapAt(spec, "template", "spec")
	if err != nil {
		return nil, err
	}
	d.topologySpread = pod["topologySpreadConstraints"]
	pod["topologySpreadConstraints"] = h.block("$.Values.topologySpreadConstraints")
	openPod(pod, h)
	if err := openVolumes(pod, h, d); err != nil {
		return nil, err
	}
	container, err := onlyContainer(pod)
	if err != nil {
		return nil, err
	}
	return d, openContainer(container, h, d)
}

// openPod puts values into a Pod's template that all Pods of the chart have alike: where they
// run, and with what their image is pulled.
func openPod(pod map[string]any, h *holes) {
	pod["imagePullSecrets"] = h.block("$.Values.image.pullSecrets")
	for _, field := range []string{"affinity", "nodeSelector", "tolerations"} {
		pod[field] = h.block("$.Values." + field)
	}
	pod["priorityClassName"] = h.optional("$.Values.priorityClassName")
}

func onlyContainer(pod map[string]any) (map[string]any, error) {
	containers, _ := pod["containers"].([]any)
	if len(containers) != 1 {
		return nil, fmt.Errorf("the Deployment has %d containers, not one", len(containers))
	}
	container, _ := containers[0].(map[string]any)
	return container, nil
}

// openImage puts the image, which is one for all, and what it may use into a container.
// group is that of the values: with a dot behind it, if there is one.
func openImage(container map[string]any, h *holes, group string) (resources any, goMemLimit string, err error) {
	container["image"] = h.scalar(`include "fedctl.image" $ | quote`)
	container["imagePullPolicy"] = h.optional("$.Values.image.pullPolicy")
	resources = container["resources"]
	container["resources"] = h.block("$.Values." + group + "resources")
	limit := "$.Values." + group + "goMemLimit"
	env, _ := container["env"].([]any)
	var opened []any
	for _, item := range env {
		variable, _ := item.(map[string]any)
		if variable["name"] != memoryLimit {
			opened = append(opened, item)
			continue
		}
		goMemLimit, _ = variable["value"].(string)
		variable["value"] = h.scalar(limit + " | quote")
		opened = append(opened, h.action("if "+limit), item, h.action("end"))
	}
	if goMemLimit == "" {
		return nil, "", fmt.Errorf("the Deployment sets no %s", memoryLimit)
	}
	container["env"] = opened
	return resources, goMemLimit, nil
}

func openVolumes(pod map[string]any, h *holes, d *defaults) error {
	volumes, _ := pod["volumes"].([]any)
	if len(volumes) != 1 {
		return fmt.Errorf("the controller's Deployment has %d volumes, not only its cache", len(volumes))
	}
	volume, _ := volumes[0].(map[string]any)
	cache, err := mapAt(volume, "emptyDir")
	if err != nil {
		return err
	}
	d.cacheSizeLimit, _ = cache["sizeLimit"].(string)
	cache["sizeLimit"] = h.scalar("$.Values.backups.cacheSizeLimit | quote")
	pod["volumes"] = append(volumes, h.entries("$.Values.extraVolumes"))
	return nil
}

func openContainer(container map[string]any, h *holes, d *defaults) (err error) {
	image, _ := container["image"].(string)
	d.imageRepository, _, _ = strings.Cut(image, ":")
	if d.resources, d.goMemLimit, err = openImage(container, h, ""); err != nil {
		return err
	}
	env, _ := container["env"].([]any)
	container["env"] = append(env, h.entries("$.Values.extraEnv"))
	mounts, _ := container["volumeMounts"].([]any)
	container["volumeMounts"] = append(mounts, h.entries("$.Values.extraVolumeMounts"))
	container["args"] = openArgs(container, h)
	container["ports"] = openPorts(container["ports"], "name", h)
	return nil
}

// openArgs lets metrics and backups be switched off, and adds what somebody else wants.
func openArgs(container map[string]any, h *holes) []any {
	args, _ := container["args"].([]any)
	ofMetrics := func(arg any) bool { return strings.HasPrefix(fmt.Sprint(arg), metricsFlag) }
	var opened []any
	for i, arg := range args {
		if ofMetrics(arg) && !ofMetrics(args[max(i-1, 0)]) {
			opened = append(opened, h.action("if $.Values.metrics.enabled"))
		}
		opened = append(opened, arg)
		if ofMetrics(arg) && !ofMetrics(args[min(i+1, len(args)-1)]) {
			opened = append(opened, h.action("else"), metricsFlag+"bind-address=0", h.action("end"))
		}
	}
	return append(opened,
		h.action("if not $.Values.backups.enabled"), "--backups=false", h.action("end"),
		h.entries("$.Values.extraArgs"))
}

// openPorts leaves the port of metrics out where there are none. by is the field with a
// port's name.
func openPorts(list any, by string, h *holes) []any {
	var opened []any
	ports, _ := list.([]any)
	for _, item := range ports {
		if port, _ := item.(map[string]any); port[by] == "metrics" {
			opened = append(opened, h.action("if $.Values.metrics.enabled"), item, h.action("end"))
			continue
		}
		opened = append(opened, item)
	}
	return opened
}

// mapAt is a map in a map, to be changed in place.
func mapAt(object map[string]any, path ...string) (map[string]any, error) {
	for i, field := range path {
		inner, ok := object[field].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("the manifests have no %s there", strings.Join(path[:i+1], "."))
		}
		object = inner
	}
	return object, nil
}
