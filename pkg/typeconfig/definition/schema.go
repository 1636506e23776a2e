package definition

import (
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// federatedSchema is the schema of a federated type: KubeFed's, with the
// template's fields known, and with optional fields that KubeFed does not have.
// What is valid for KubeFed is valid here.
func federatedSchema(in Input, limits templateLimits) *apiextensionsv1.JSONSchemaProps {
	template, scalable := templateSchema(in, limits)
	spec := object("What to propagate, where to, and how it differs between clusters.", properties{
		"template":  template,
		"placement": placementSchema(),
		"overrides": overridesSchema(),
	})
	if scalable {
		spec.Properties["retainReplicas"] = retainReplicasSchema()
	}
	target := in.Type.Target.GVK
	root := object(fmt.Sprintf("%s propagates a %s (%s) to member clusters.", in.Type.Federated.GVK.Kind, target.Kind, target.GroupVersion()), properties{
		"apiVersion": text(""),
		"kind":       text(""),
		"metadata":   object("", nil),
		"spec":       spec,
		"status":     statusSchema(in.Rollup, scalable),
	})
	// Required even when empty, as KubeFed has it: a federated ConfigMap without a
	// spec is a ConfigMap that somebody renamed.
	root.Required = []string{"spec"}
	return &root
}

func retainReplicasSchema() apiextensionsv1.JSONSchemaProps {
	return apiextensionsv1.JSONSchemaProps{
		Type: "boolean",
		Description: "Leaves the replicas of an object to the cluster it is in, for example to a HorizontalPodAutoscaler there. " +
			"The template's replicas are then not propagated.",
	}
}

func placementSchema() apiextensionsv1.JSONSchemaProps {
	cluster := object("", properties{"name": text("Name of a KubeFedCluster.")}, "name")
	requirement := object("", properties{
		"key":      text(""),
		"operator": text("In, NotIn, Exists or DoesNotExist."),
		"values":   list("", text("")),
	}, "key", "operator")
	return object("The clusters that get the object; none without a placement.", properties{
		"clusters": list("Clusters by name. When present, even if empty, clusterSelector is ignored.", cluster),
		"clusterSelector": object("Clusters by the labels of their KubeFedCluster; {} selects all.", properties{
			"matchExpressions": list("", requirement),
			"matchLabels": {Type: "object", AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{
				Allows: true, Schema: ptr.To(text("")),
			}},
		}),
	})
}

func overridesSchema() apiextensionsv1.JSONSchemaProps {
	op := text("add, remove or replace; replace when left out.")
	for _, value := range []string{`"add"`, `"remove"`, `"replace"`, `""`} {
		op.Enum = append(op.Enum, apiextensionsv1.JSON{Raw: []byte(value)})
	}
	override := object("", properties{
		"op":   op,
		"path": text("JSON pointer to the field, such as /spec/replicas or /spec/template/spec/containers/0/image; - appends to a list."),
		"value": {
			XPreserveUnknownFields: ptr.To(true),
			Nullable:               true, // an API server drops a null that is not, and with it the difference to no value
			Description:            "The new value; for add and replace.",
		},
	}, "path")
	return list("How the object differs from the template in some clusters.", object("", properties{
		"clusterName":      text("Name of a KubeFedCluster. A cluster appears once."),
		"clusterOverrides": list("JSON patch that is applied to the template, in this order.", override),
	}))
}

func statusSchema(rollup *Rollup, scalable bool) apiextensionsv1.JSONSchemaProps {
	condition := object("", properties{
		"type":               text("Propagation: whether the clusters have what they should. Ready: whether it works there. Stalled, only while it has failed in a cluster. Accepted, only while something in the spec cannot be carried out."),
		"status":             text("True, False or Unknown."),
		"reason":             text("Why the status is not what it should be, in one word."),
		"message":            text("Why, in a sentence."),
		"lastUpdateTime":     dateTime("When the condition was last written."),
		"lastTransitionTime": dateTime("When the status last changed."),
	}, "type", "status")
	health := object("How the object fares in the cluster, for types whose health is collected.", properties{
		"status":         text("Healthy, Progressing, Degraded, Suspended or Unknown."),
		"message":        text("Why it is not healthy, in a sentence."),
		"lastUpdateTime": dateTime("When status or message last changed."),
		"unsteady": object("There while the object has been healthy for moments only.", properties{
			"since":      dateTime("When it was first worse again soon after it was healthy."),
			"generation": {Type: "integer", Format: "int64", Description: "Generation of the object in the cluster that this is about."},
		}),
	}, "status")
	cluster := object("", properties{
		"name":          text("Name of the KubeFedCluster."),
		"status":        text("Empty when the cluster has what it should; otherwise what is wrong, in one word."),
		"message":       text("What is wrong, in a sentence."),
		"version":       text("Version of the object that was last seen in the cluster, and of what was last applied."),
		"alsoWrittenBy": text("Other field managers that have written fields of the object there, and the fields, where they are left alone."),
		"remoteStatus":  {Type: "object", XPreserveUnknownFields: ptr.To(true), Description: "Status of the object in the cluster, for types whose status is collected."},
		"health":        health,
	}, "name")
	if scalable {
		cluster.Properties["autoscaling"] = autoscalingSchema()
	}
	status := object("What has been propagated. Written by the controller.", properties{
		"observedGeneration": {Type: "integer", Format: "int64", Description: "Generation of this object that the status is about."},
		"summary":            text("Clusters that are up to date, of the clusters of the placement: 2/3."),
		"conditions":         listMap(list("", condition), "type"),
		"clusters":           listMap(list("One entry for every cluster that has, should have, or should no longer have the object.", cluster), "name"),
	})
	if rollup != nil {
		status.Properties["rollup"] = rollup.Schema
	}
	return status
}

func autoscalingSchema() apiextensionsv1.JSONSchemaProps {
	return object("What autoscalers in the cluster mean for the object there; absent where there are none.", properties{
		"replicas":         text("Why spec.replicas are the cluster's: Autoscaled, Kept (the last number stays when the autoscaler has gone) or Unreadable (somebody there has set them, and its autoscalers cannot be read)."),
		"by":               text("The autoscalers that decide on the replicas."),
		"templateReplicas": {Type: "integer", Format: "int64", Description: "What the template said last while there was an autoscaler, or when the replicas were left because nobody could tell. When it says another number and there is none, it counts again."},
		"requestsBy":       text("The autoscalers that decide on what the object's pods ask for."),
		"message":          text("Why it is not known which autoscalers there are."),
	})
}

type properties = map[string]apiextensionsv1.JSONSchemaProps

func object(description string, fields properties, required ...string) apiextensionsv1.JSONSchemaProps {
	return apiextensionsv1.JSONSchemaProps{Type: "object", Description: description, Properties: fields, Required: required}
}

func text(description string) apiextensionsv1.JSONSchemaProps {
	return apiextensionsv1.JSONSchemaProps{Type: "string", Description: description}
}

func dateTime(description string) apiextensionsv1.JSONSchemaProps {
	return apiextensionsv1.JSONSchemaProps{Type: "string", Format: "date-time", Description: description}
}

func list(description string, items apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
	return apiextensionsv1.JSONSchemaProps{
		Type: "array", Description: description,
		Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &items},
	}
}

// listMap lets server-side apply and clients merge a list by key, which also
// makes the key unique. Only for lists that controllers write: KubeFed does not
// refuse duplicates elsewhere.
func listMap(in apiextensionsv1.JSONSchemaProps, key string) apiextensionsv1.JSONSchemaProps {
	in.XListType = ptr.To("map")
	in.XListMapKeys = []string{key}
	return in
}
