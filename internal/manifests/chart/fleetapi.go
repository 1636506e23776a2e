package chart

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/internal/manifests"
)

// fleetDefaults are what the manifests say of the fleet's API server where values say it
// in the chart.
type fleetDefaults struct {
	replicas   int64
	resources  any
	goMemLimit string
}

// fleetAPI adds the template of the API server of the fleet. It is one file: the certificate
// that Helm makes is a variable of it, since the Secret and the APIService must have the same.
func fleetAPI(files map[string]string) (*fleetDefaults, error) {
	built, err := manifests.FleetAPI(manifests.Options{Namespace: placeholder}, manifests.FleetAPIOptions{})
	if err != nil {
		return nil, err
	}
	d := &fleetDefaults{}
	text := Mark + "{{- if .Values.fleetAPI.enabled }}\n" + `{{- $certificate := include "fedctl.fleetCertificate" . | fromYaml }}` + "\n"
	for _, object := range built {
		printed, err := printFleetAPI(object, d)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
		doc := document{kind: object.GetKind(), text: inRelease(printed)}
		if condition := kindConditions[doc.kind]; condition != "" && doc.kind != "Service" {
			doc.conditions = []string{condition}
		}
		text += doc.conditional()
	}
	files[Name+"/templates/fleetapi.yaml"] = text + `{{- include "fedctl.fleetCertificateObject" (list . $certificate) }}` + "\n{{- end }}\n"
	return d, nil
}

func printFleetAPI(object *unstructured.Unstructured, d *fleetDefaults) (string, error) {
	h := &holes{}
	var err error
	switch object.GetKind() {
	case "Deployment":
		err = openFleetDeployment(object, h, d)
	case "ClusterRole":
		err = openAggregation(object, h)
	case "APIService":
		err = openAPIService(object, h)
	}
	if err != nil {
		return "", err
	}
	return h.print(object.Object)
}

// openAPIService leaves open by which authority the host's API server knows the server.
func openAPIService(object *unstructured.Unstructured, h *holes) error {
	metadata, err := mapAt(object.Object, "metadata")
	if err != nil {
		return err
	}
	spec, err := mapAt(object.Object, "spec")
	if err != nil {
		return err
	}
	spec["caBundle"] = h.optional("$certificate.authority")
	metadata["annotations"] = h.block("$certificate.annotations")
	return nil
}

// openFleetDeployment puts values into the Deployment: where Pods run is what it is for the
// controller's.
func openFleetDeployment(object *unstructured.Unstructured, h *holes, d *fleetDefaults) error {
	spec, err := mapAt(object.Object, "spec")
	if err != nil {
		return err
	}
	pod, err := mapAt(spec, "template", "spec")
	if err != nil {
		return err
	}
	d.replicas, _ = spec["replicas"].(int64)
	spec["replicas"] = h.scalar("$.Values.fleetAPI.replicas")
	openPod(pod, h)
	if err := openSecretOf(pod, h); err != nil {
		return err
	}
	container, err := onlyContainer(pod)
	if err != nil {
		return err
	}
	args, _ := container["args"].([]any)
	container["args"] = append(slices.Clone(args), h.entries("$.Values.fleetAPI.extraArgs"))
	d.resources, d.goMemLimit, err = openImage(container, h, "fleetAPI.")
	return err
}

// openSecretOf leaves open which Secret has the server's certificate.
func openSecretOf(pod map[string]any, h *holes) error {
	volumes, _ := pod["volumes"].([]any)
	if len(volumes) != 1 {
		return fmt.Errorf("the server's Pods have %d volumes, and not the certificate's alone", len(volumes))
	}
	volume, _ := volumes[0].(map[string]any)
	secret, err := mapAt(volume, "secret")
	if err != nil {
		return err
	}
	secret["secretName"] = h.scalar(`include "fedctl.fleetSecret" $`)
	return nil
}
