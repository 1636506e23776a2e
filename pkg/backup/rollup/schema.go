package rollup

import apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// Schema is that of status.rollup of a FederatedBackup.
func Schema() apiextensionsv1.JSONSchemaProps {
	text := func(description string) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "string", Description: description}
	}
	list := func(description string, item apiextensionsv1.JSONSchemaProps) apiextensionsv1.JSONSchemaProps {
		return apiextensionsv1.JSONSchemaProps{Type: "array", Description: description, Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &item}}
	}
	oldest := text("When the oldest of the clusters' last good runs ended; left out while that is not known of each.")
	oldest.Format = "date-time"
	return apiextensionsv1.JSONSchemaProps{
		Type:        "object",
		Description: "How the Backups stand over all clusters of the placement.",
		Properties: map[string]apiextensionsv1.JSONSchemaProps{
			"objective":            text("Clusters that are within their objective, of those that have one or of which nothing is known: 2/3."),
			"withinObjective":      list("Clusters whose last good run is recent enough.", text("")),
			"outsideObjective":     list("Clusters whose last good run is too old.", text("")),
			"unknown":              list("Clusters that cannot be asked, do not have the Backup as it should be, or have not had a run yet.", text("")),
			"oldestRecoveryPoint":  oldest,
			"withoutRecoveryPoint": list("Clusters of which no good run is known.", text("")),
			"failing": list("Clusters where something is wrong, and what.", apiextensionsv1.JSONSchemaProps{
				Type: "object", Required: []string{"cluster", "condition"},
				Properties: map[string]apiextensionsv1.JSONSchemaProps{
					"cluster":   text("Name of the KubeFedCluster."),
					"condition": text("The condition of its Backup that is False: Ready or Verified."),
					"reason":    text("The condition's reason."),
				},
			}),
		},
	}
}

// Columns are what kubectl get federatedbackups shows of it.
func Columns() []apiextensionsv1.CustomResourceColumnDefinition {
	return []apiextensionsv1.CustomResourceColumnDefinition{
		{Name: "Within Objective", Type: "string", JSONPath: ".status.rollup.objective",
			Description: "Clusters that are within their objective, of those that have one or of which nothing is known."},
		{Name: "Recovery Point", Type: "date", JSONPath: ".status.rollup.oldestRecoveryPoint",
			Description: "Age of the oldest of the clusters' last good runs; none while one of them has none."},
	}
}
