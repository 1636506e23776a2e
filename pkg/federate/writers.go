package federate

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// KnownWriter is a field that is not the template's although it does not belong to those
// who edit objects either: it is neither taken back nor said.
type KnownWriter struct {
	// Kinds have the field.
	Kinds []schema.GroupKind
	// Field is its path; * stands for any item of a list, or any key.
	Field []string
	// Manager is the field manager that writes it; empty where everybody may.
	Manager string
	// Beside is a field that the template must have for that; empty where it need not.
	Beside []string
	// Who writes it, and where that is written.
	Who, Source string
}

// KnownWriters are those fields. Metadata and status are not among them, because they are
// nobody's addition to the content: annotations of an autoscaler or of kubectl, finalizers
// and owners stay in any case, and so does what is written through a subresource, such as
// the replicas of an autoscaler.
func KnownWriters() []KnownWriter {
	const admission, openshift = "admissionregistration.k8s.io", "OpenShift"
	core := func(kind string) []schema.GroupKind { return []schema.GroupKind{{Kind: kind}} }
	return []KnownWriter{
		{
			Kinds:  []schema.GroupKind{{Group: admission, Kind: "ValidatingWebhookConfiguration"}, {Group: admission, Kind: "MutatingWebhookConfiguration"}},
			Field:  []string{"webhooks", "*", "clientConfig", "caBundle"},
			Who:    "injectors of authorities: cert-manager, kube-webhook-certgen, Istio, " + openshift,
			Source: "https://cert-manager.io/docs/concepts/ca-injector/",
		},
		{
			Kinds:   []schema.GroupKind{{Group: admission, Kind: "ValidatingWebhookConfiguration"}, {Group: admission, Kind: "MutatingWebhookConfiguration"}},
			Field:   []string{"webhooks", "*", "namespaceSelector"},
			Manager: "admissionsenforcer",
			Who:     "AKS keeps webhooks away from its own namespaces",
			Source:  "https://learn.microsoft.com/azure/aks/faq#can-admission-controller-webhooks-impact-kube-system-and-internal-aks-namespaces",
		},
		{
			Kinds:  []schema.GroupKind{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}},
			Field:  []string{"spec", "conversion", "webhook", "clientConfig", "caBundle"},
			Who:    "injectors of authorities",
			Source: "https://cert-manager.io/docs/concepts/ca-injector/",
		},
		{
			Kinds:  []schema.GroupKind{{Group: "apiregistration.k8s.io", Kind: "APIService"}},
			Field:  []string{"spec", "caBundle"},
			Who:    "injectors of authorities",
			Source: "https://cert-manager.io/docs/concepts/ca-injector/",
		},
		{
			Kinds:  []schema.GroupKind{{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}},
			Field:  []string{"rules"},
			Beside: []string{"aggregationRule"},
			Who:    "the controller that aggregates ClusterRoles",
			Source: "https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles",
		},
		{
			Kinds:  core("Secret"),
			Field:  []string{"data"},
			Beside: []string{"metadata", "annotations", "kubernetes.io/service-account.name"},
			Who:    "the controller of service accounts' tokens",
			Source: "https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets",
		},
		{
			Kinds:  core("ConfigMap"),
			Field:  []string{"data", "ca-bundle.crt"},
			Beside: []string{"metadata", "labels", "config.openshift.io/inject-trusted-cabundle"},
			Who:    openshift + " puts trusted authorities there",
			Source: "https://docs.openshift.com/container-platform/latest/networking/configuring-a-custom-pki.html",
		},
		{
			Kinds:  core("ConfigMap"),
			Field:  []string{"data", "service-ca.crt"},
			Beside: []string{"metadata", "annotations", "service.beta.openshift.io/inject-cabundle"},
			Who:    openshift + " puts the authority of services there",
			Source: "https://docs.openshift.com/container-platform/latest/security/certificates/service-serving-certificate.html",
		},
		{
			Kinds:  core("ServiceAccount"),
			Field:  []string{"secrets"},
			Who:    "controllers of tokens, of Kubernetes before 1.24 and of " + openshift,
			Source: "https://kubernetes.io/docs/concepts/security/service-accounts/",
		},
		{
			Kinds:   core("ServiceAccount"),
			Field:   []string{"imagePullSecrets"},
			Manager: "openshift-controller-manager",
			Who:     openshift + " gives accounts its registry's credentials",
			Source:  "https://docs.openshift.com/container-platform/latest/openshift_images/managing_images/using-image-pull-secrets.html",
		},
		{
			Kinds:  core("Namespace"),
			Field:  []string{"spec", "finalizers"},
			Who:    "API servers",
			Source: "https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/namespace-v1/#NamespaceSpec",
		},
		{
			Kinds:  core("PersistentVolumeClaim"),
			Field:  []string{"spec", "volumeName"},
			Who:    "the binder of volumes",
			Source: "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding",
		},
		{
			Kinds:  core("PersistentVolume"),
			Field:  []string{"spec", "claimRef"},
			Who:    "the binder of volumes",
			Source: "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#binding",
		},
		{
			Kinds:  []schema.GroupKind{{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "DaemonSet"}},
			Field:  []string{"spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt"},
			Who:    "kubectl rollout restart",
			Source: "https://kubernetes.io/docs/reference/kubectl/generated/kubectl_rollout/kubectl_rollout_restart/",
		},
	}
}

var knownWriters = func() map[schema.GroupKind][]KnownWriter {
	of := map[schema.GroupKind][]KnownWriter{}
	for _, known := range KnownWriters() {
		for _, kind := range known.Kinds {
			of[kind] = append(of[kind], known)
		}
	}
	return of
}()

// withoutKnown is what of a manager's fields no known writer accounts for. own are those
// of the template.
func withoutKnown(gk schema.GroupKind, manager string, fields, own *fieldpath.Set) *fieldpath.Set {
	for _, known := range knownWriters[gk] {
		if known.Manager != "" && known.Manager != manager || len(known.Beside) > 0 && !has(own, known.Beside) {
			continue
		}
		fields, _ = without(fields, known.Field)
	}
	return fields
}

// has says whether a field, or something in it, is in a set.
func has(set *fieldpath.Set, field []string) bool {
	for i, name := range field {
		e := fieldpath.FieldNameElement(name)
		if i == len(field)-1 && set.Members.Has(e) {
			return true
		}
		inner, ok := set.Children.Get(e)
		if !ok {
			return false
		}
		set = inner
	}
	return !set.Empty()
}

// without is a set without a field and all that is in it. found says that it was there.
// What holds nothing else goes with it.
func without(set *fieldpath.Set, field []string) (rest *fieldpath.Set, found bool) {
	matches := func(e fieldpath.PathElement) bool {
		return field[0] == "*" || e.FieldName != nil && *e.FieldName == field[0]
	}
	rest = &fieldpath.Set{}
	var emptied []fieldpath.PathElement
	set.Children.Iterate(func(e fieldpath.PathElement) {
		inner, _ := set.Children.Get(e)
		if matches(e) {
			if len(field) == 1 {
				found = true
				return
			}
			within, there := without(inner, field[1:])
			found = found || there
			if there && within.Empty() {
				emptied = append(emptied, e)
			}
			inner = within
		}
		if !inner.Empty() {
			*rest.Children.Descend(e) = *inner
		}
	})
	set.Members.Iterate(func(e fieldpath.PathElement) {
		if len(field) == 1 && matches(e) {
			found = true
			return
		}
		if !slices.ContainsFunc(emptied, e.Equals) {
			rest.Members.Insert(e)
		}
	})
	if !found {
		return set, false
	}
	return rest, true
}
