package main

import (
	"os"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"
)

// unserved is the status API of KubeFed that few still read since statuses are
// collected into the federated objects themselves; who does defines it.
const unserved = "federatedservicestatuses.core.kubefed.io"

// coreCRDs generates the definitions of KubeFed's API from its Go types, which
// gives the schemas that KubeFed's chart has, with columns that say more.
func coreCRDs() error {
	dir := filepath.Join("config", "crd", "core")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	const apis = "paths=sigs.k8s.io/kubefed/pkg/apis/"
	err := runControllerGen("crd", apis+"core/v1beta1", apis+"core/v1alpha1", apis+"scheduling/v1alpha1", "output:crd:dir="+dir)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := finishCoreCRD(file); err != nil {
			return err
		}
	}
	return nil
}

// typeConfigs is the definition of FederatedTypeConfigs, whose status has no conditions
// in KubeFed.
const typeConfigs = "federatedtypeconfigs.core.kubefed.io"

// addTypeConditions adds the conditions that pkg/typeconfig/controller writes.
func addTypeConditions(version *apiextensionsv1.CustomResourceDefinitionVersion) {
	text := func(description string) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "string", Description: description}
	}
	since := text("When the status became what it is.")
	since.Format = "date-time"
	status := version.Schema.OpenAPIV3Schema.Properties["status"]
	status.Properties["conditions"] = apiextensionsv1.JSONSchemaProps{
		Type: "array", Description: "What is wrong with the type; none when all is well.", XListType: ptr.To("map"), XListMapKeys: []string{"type"},
		Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{
			Type: "object", Required: []string{"type", "status", "reason", "message", "lastTransitionTime"},
			Properties: map[string]apiextensionsv1.JSONSchemaProps{
				"type":               text("MemberRights or FederatedDefinition."),
				"status":             text("False: the condition goes when all is well."),
				"reason":             text("One word for programs."),
				"message":            text("A sentence for people, with the command that helps."),
				"observedGeneration": {Type: "integer", Format: "int64", Description: "The generation that the condition speaks of."},
				"lastTransitionTime": since,
			},
		}},
	}
	version.Schema.OpenAPIV3Schema.Properties["status"] = status
}

// preferences is the definition of ReplicaSchedulingPreferences, whose status
// KubeFed leaves empty.
const preferences = "replicaschedulingpreferences.scheduling.kubefed.io"

// addScheduledStatus adds the status that pkg/replicas writes.
func addScheduledStatus(version *apiextensionsv1.CustomResourceDefinitionVersion) {
	version.Subresources = &apiextensionsv1.CustomResourceSubresources{Status: &apiextensionsv1.CustomResourceSubresourceStatus{}}
	text := func(description string) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "string", Description: description}
	}
	whole := func(description string) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "integer", Format: "int64", Description: description}
	}
	listOf := func(description, key string, required []string, properties map[string]apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{
			Type: "array", Description: description, XListType: ptr.To("map"), XListMapKeys: []string{key},
			Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &apiextensionsv1.JSONSchemaProps{
				Type: "object", Required: required, Properties: properties,
			}},
		}
	}
	since := text("When the status became what it is.")
	since.Format = "date-time"
	version.Schema.OpenAPIV3Schema.Properties["status"] = apiextensionsv1.JSONSchemaProps{
		Type:        "object",
		Description: "What came of the preference.",
		Properties: map[string]apiextensionsv1.JSONSchemaProps{
			"observedGeneration": whole("The generation that the status speaks of."),
			"conditions": listOf("The condition Scheduled, which is True when the federated object says what the preference asks for.", "type",
				[]string{"type", "status", "reason", "message", "lastTransitionTime"}, map[string]apiextensionsv1.JSONSchemaProps{
					"type":               text("Scheduled."),
					"status":             text("True, False or Unknown."),
					"reason":             text("One word for programs."),
					"message":            text("A sentence for people."),
					"observedGeneration": whole("The generation that the condition speaks of."),
					"lastTransitionTime": since,
				}),
			"clusters": listOf("The clusters that the federated object is placed in.", "name",
				[]string{"name", "replicas"}, map[string]apiextensionsv1.JSONSchemaProps{
					"name":          text("The name of the KubeFedCluster."),
					"replicas":      whole("How many replicas the cluster was given."),
					"unschedulable": whole("How many of them the cluster's nodes have no room for."),
				}),
		},
	}
}

func finishCoreCRD(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(data, &crd); err != nil {
		return err
	}
	if crd.Name == unserved {
		return os.Remove(file)
	}
	if columns, ok := coreColumns[crd.Name]; ok {
		crd.Spec.Versions[0].AdditionalPrinterColumns = columns
	}
	if crd.Name == typeConfigs {
		addTypeConditions(&crd.Spec.Versions[0])
	}
	if crd.Name == preferences {
		addScheduledStatus(&crd.Spec.Versions[0])
	}
	// KubeFed's Go comments hold notes to its developers.
	dropNotes(crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
	return write(file, &crd)
}

// noteMark begins, in upstream's comments, what is for its developers; it is no task of ours.
const noteMark = "TO" + "DO"

func dropNotes(schema *apiextensionsv1.JSONSchemaProps) {
	if i := strings.Index(schema.Description, noteMark); i >= 0 {
		schema.Description = strings.TrimSpace(schema.Description[:i])
	}
	for name, property := range schema.Properties {
		dropNotes(&property)
		schema.Properties[name] = property
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		dropNotes(schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		dropNotes(schema.AdditionalProperties.Schema)
	}
}

var age = apiextensionsv1.CustomResourceColumnDefinition{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp"}

// coreColumns are what kubectl get shows.
var coreColumns = map[string][]apiextensionsv1.CustomResourceColumnDefinition{
	"kubefedclusters.core.kubefed.io": {
		{Name: "Ready", Type: "string", JSONPath: `.status.conditions[?(@.type=="Ready")].status`},
		{Name: "Version", Type: "string", JSONPath: ".status.kubernetesVersion"},
		{Name: "Region", Type: "string", JSONPath: ".status.region"},
		{Name: "Reason", Type: "string", JSONPath: `.status.conditions[?(@.status=="False")].reason`, Priority: 1},
		{Name: "Endpoint", Type: "string", JSONPath: ".spec.apiEndpoint", Priority: 1},
		age,
	},
	typeConfigs: {
		{Name: "Federated Kind", Type: "string", JSONPath: ".spec.federatedType.kind"},
		{Name: "Target Version", Type: "string", JSONPath: ".spec.targetType.version"},
		{Name: "Propagation", Type: "string", JSONPath: ".spec.propagation"},
		{Name: "Controller", Type: "string", JSONPath: ".status.propagationController"},
		{Name: "Reason", Type: "string", JSONPath: ".status.conditions[*].reason"},
		age,
	},
	preferences: {
		{Name: "Kind", Type: "string", JSONPath: ".spec.targetKind"},
		{Name: "Replicas", Type: "integer", JSONPath: ".spec.totalReplicas"},
		{Name: "Scheduled", Type: "string", JSONPath: `.status.conditions[?(@.type=="Scheduled")].status`},
		{Name: "Reason", Type: "string", JSONPath: `.status.conditions[?(@.type=="Scheduled")].reason`},
		age,
	},
}
