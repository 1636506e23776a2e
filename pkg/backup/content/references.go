package content

import (
	"slices"
	"strconv"
	"strings"
)

// form says how a field names a namespace.
type form int

const (
	formName     form = iota // the name of a namespace
	formNames                // a list of names
	formSelector             // a label selector of namespaces, which may select by name
	formAccount              // a user or group that stands for ServiceAccounts: system:serviceaccount:shop:web
	formHost                 // the DNS name of a Service: web.shop.svc
)

// reference is a field of a kind that names another namespace than the object's own.
type reference struct {
	// resource is <plural>[.<group>].
	resource string
	// path is a JSON pointer, in which * stands for every element of a list.
	path string
	form form
	// source says where the field's meaning is written down.
	source string
}

// Where the meaning of fields is written down.
const (
	fromCore       = "k8s.io/api/core/v1"
	fromRBAC       = "k8s.io/api/rbac/v1"
	fromAdmission  = "k8s.io/api/admissionregistration/v1"
	fromCSI        = "kubernetes-csi.github.io/docs/secrets-and-credentials"
	fromGateway    = "gateway-api.sigs.k8s.io/reference/spec"
	fromPolicy     = "network-policy-api.sigs.k8s.io/reference/spec"
	fromPrometheus = "prometheus-operator.dev/docs/api-reference/api"
	fromOurs       = "docs/reference.md"
)

// references are the fields that are known to name namespaces. An object in the place
// of a copy gets them mapped; what is in none of them is looked for and named by
// unknownReferences.
var references = slices.Concat([]reference{
	{"rolebindings.rbac.authorization.k8s.io", "/subjects/*/namespace", formName, fromRBAC},
	{"rolebindings.rbac.authorization.k8s.io", "/subjects/*/name", formAccount, fromRBAC},
	{clusterRoleBindings, "/subjects/*/namespace", formName, fromRBAC},
	{clusterRoleBindings, "/subjects/*/name", formAccount, fromRBAC},
	{"flowschemas.flowcontrol.apiserver.k8s.io", "/spec/rules/*/subjects/*/serviceAccount/namespace", formName, "k8s.io/api/flowcontrol/v1"},
	{"flowschemas.flowcontrol.apiserver.k8s.io", "/spec/rules/*/subjects/*/group/name", formAccount, "k8s.io/api/flowcontrol/v1"},
	{"flowschemas.flowcontrol.apiserver.k8s.io", "/spec/rules/*/subjects/*/user/name", formAccount, "k8s.io/api/flowcontrol/v1"},

	{validatingWebhooks, "/webhooks/*/clientConfig/service/namespace", formName, fromAdmission},
	{validatingWebhooks, "/webhooks/*/namespaceSelector", formSelector, fromAdmission},
	{mutatingWebhooks, "/webhooks/*/clientConfig/service/namespace", formName, fromAdmission},
	{mutatingWebhooks, "/webhooks/*/namespaceSelector", formSelector, fromAdmission},
	{"validatingadmissionpolicies.admissionregistration.k8s.io", "/spec/matchConstraints/namespaceSelector", formSelector, fromAdmission},
	{"mutatingadmissionpolicies.admissionregistration.k8s.io", "/spec/matchConstraints/namespaceSelector", formSelector, fromAdmission},
	{"validatingadmissionpolicybindings.admissionregistration.k8s.io", "/spec/matchResources/namespaceSelector", formSelector, fromAdmission},
	{"validatingadmissionpolicybindings.admissionregistration.k8s.io", "/spec/paramRef/namespace", formName, fromAdmission},
	{"mutatingadmissionpolicybindings.admissionregistration.k8s.io", "/spec/matchResources/namespaceSelector", formSelector, fromAdmission},
	{"mutatingadmissionpolicybindings.admissionregistration.k8s.io", "/spec/paramRef/namespace", formName, fromAdmission},
	{definitions, "/spec/conversion/webhook/clientConfig/service/namespace", formName, "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"},
	{apiServices, "/spec/service/namespace", formName, "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"},

	{volumes, "/spec/claimRef/namespace", formName, fromCore},
	{volumes, "/spec/csi/controllerPublishSecretRef/namespace", formName, fromCore},
	{volumes, "/spec/csi/controllerExpandSecretRef/namespace", formName, fromCore},
	{volumes, "/spec/csi/nodeStageSecretRef/namespace", formName, fromCore},
	{volumes, "/spec/csi/nodePublishSecretRef/namespace", formName, fromCore},
	{volumes, "/spec/csi/nodeExpandSecretRef/namespace", formName, fromCore},
	{volumes, "/spec/azureFile/secretNamespace", formName, fromCore},
	{volumes, "/spec/cephfs/secretRef/namespace", formName, fromCore},
	{volumes, "/spec/cinder/secretRef/namespace", formName, fromCore},
	{volumes, "/spec/flexVolume/secretRef/namespace", formName, fromCore},
	{volumes, "/spec/glusterfs/endpointsNamespace", formName, fromCore},
	{volumes, "/spec/iscsi/secretRef/namespace", formName, fromCore},
	{volumes, "/spec/rbd/secretRef/namespace", formName, fromCore},
	{volumes, "/spec/scaleIO/secretRef/namespace", formName, fromCore},
	{volumes, "/spec/storageos/secretRef/namespace", formName, fromCore},
	{storageClasses, "/parameters/csi.storage.k8s.io~1provisioner-secret-namespace", formName, fromCSI},
	{storageClasses, "/parameters/csi.storage.k8s.io~1controller-publish-secret-namespace", formName, fromCSI},
	{storageClasses, "/parameters/csi.storage.k8s.io~1controller-expand-secret-namespace", formName, fromCSI},
	{storageClasses, "/parameters/csi.storage.k8s.io~1node-stage-secret-namespace", formName, fromCSI},
	{storageClasses, "/parameters/csi.storage.k8s.io~1node-publish-secret-namespace", formName, fromCSI},
	{storageClasses, "/parameters/csi.storage.k8s.io~1node-expand-secret-namespace", formName, fromCSI},
	{"volumesnapshotclasses.snapshot.storage.k8s.io", "/parameters/csi.storage.k8s.io~1snapshotter-secret-namespace", formName, fromCSI},
	{"volumesnapshotclasses.snapshot.storage.k8s.io", "/parameters/csi.storage.k8s.io~1snapshotter-list-secret-namespace", formName, fromCSI},

	{services, "/spec/externalName", formHost, "kubernetes.io/docs/concepts/services-networking/dns-pod-service"},
	{"endpoints", "/subsets/*/addresses/*/targetRef/namespace", formName, fromCore},
	{"endpoints", "/subsets/*/notReadyAddresses/*/targetRef/namespace", formName, fromCore},
	{"endpointslices.discovery.k8s.io", "/endpoints/*/targetRef/namespace", formName, "k8s.io/api/discovery/v1"},
	{"ingressclasses.networking.k8s.io", "/spec/parameters/namespace", formName, "k8s.io/api/networking/v1"},
	{"networkpolicies.networking.k8s.io", "/spec/ingress/*/from/*/namespaceSelector", formSelector, "k8s.io/api/networking/v1"},
	{"networkpolicies.networking.k8s.io", "/spec/egress/*/to/*/namespaceSelector", formSelector, "k8s.io/api/networking/v1"},

	{"referencegrants.gateway.networking.k8s.io", "/spec/from/*/namespace", formName, fromGateway},
	{"gatewayclasses.gateway.networking.k8s.io", "/spec/parametersRef/namespace", formName, fromGateway},
	{"gateways.gateway.networking.k8s.io", "/spec/listeners/*/tls/certificateRefs/*/namespace", formName, fromGateway},
	{"gateways.gateway.networking.k8s.io", "/spec/listeners/*/allowedRoutes/namespaces/selector", formSelector, fromGateway},
	{"httproutes.gateway.networking.k8s.io", "/spec/rules/*/filters/*/requestMirror/backendRef/namespace", formName, fromGateway},

	{"servicemonitors.monitoring.coreos.com", "/spec/namespaceSelector/matchNames", formNames, fromPrometheus},
	{"podmonitors.monitoring.coreos.com", "/spec/namespaceSelector/matchNames", formNames, fromPrometheus},
	{"probes.monitoring.coreos.com", "/spec/targets/ingress/namespaceSelector/matchNames", formNames, fromPrometheus},
	{"prometheuses.monitoring.coreos.com", "/spec/alerting/alertmanagers/*/namespace", formName, fromPrometheus},
	{"prometheuses.monitoring.coreos.com", "/spec/serviceMonitorNamespaceSelector", formSelector, fromPrometheus},
	{"prometheuses.monitoring.coreos.com", "/spec/podMonitorNamespaceSelector", formSelector, fromPrometheus},
	{"prometheuses.monitoring.coreos.com", "/spec/probeNamespaceSelector", formSelector, fromPrometheus},
	{"prometheuses.monitoring.coreos.com", "/spec/ruleNamespaceSelector", formSelector, fromPrometheus},

	{backups, "/spec/source/namespaces", formNames, fromOurs},
	{backups, "/spec/hooks/pre/*/namespace", formName, fromOurs},
	{backups, "/spec/hooks/post/*/namespace", formName, fromOurs},
	// A FederatedNamespace has the name of the namespace that it is in.
	{"federatednamespaces.types.kubefed.io", "/metadata/name", formName, fromOurs},
},
	routeReferences("httproutes", "grpcroutes", "tcproutes", "tlsroutes", "udproutes"),
	policyReferences("adminnetworkpolicies", "baselineadminnetworkpolicies", "clusternetworkpolicies"),
	podReferences(),
)

func routeReferences(plurals ...string) []reference {
	var out []reference
	for _, plural := range plurals {
		for _, path := range []string{"/spec/parentRefs/*/namespace", "/spec/rules/*/backendRefs/*/namespace"} {
			out = append(out, reference{plural + ".gateway.networking.k8s.io", path, formName, fromGateway})
		}
	}
	return out
}

func policyReferences(plurals ...string) []reference {
	var out []reference
	for _, plural := range plurals {
		for _, path := range []string{
			"/spec/subject/namespaces", "/spec/subject/pods/namespaceSelector",
			"/spec/ingress/*/from/*/namespaces", "/spec/ingress/*/from/*/pods/namespaceSelector",
			"/spec/egress/*/to/*/namespaces", "/spec/egress/*/to/*/pods/namespaceSelector",
		} {
			out = append(out, reference{plural + ".policy.networking.k8s.io", path, formSelector, fromPolicy})
		}
	}
	return out
}

// podSpecs are where Kubernetes' own workloads have the specs of their pods.
var podSpecs = map[string]string{
	"pods": "/spec", "podtemplates": "/template/spec", "cronjobs.batch": "/spec/jobTemplate/spec/template/spec", jobs: "/spec/template/spec",
	"replicationcontrollers": "/spec/template/spec", "replicasets.apps": "/spec/template/spec", "deployments.apps": "/spec/template/spec",
	"daemonsets.apps": "/spec/template/spec", "statefulsets.apps": "/spec/template/spec",
}

func podReferences() []reference {
	var out []reference
	for resource, spec := range podSpecs {
		for _, kind := range []string{"podAffinity", "podAntiAffinity"} {
			for _, term := range []string{"requiredDuringSchedulingIgnoredDuringExecution/*", "preferredDuringSchedulingIgnoredDuringExecution/*/podAffinityTerm"} {
				at := spec + "/affinity/" + kind + "/" + term
				out = append(out, reference{resource, at + "/namespaces", formNames, fromCore}, reference{resource, at + "/namespaceSelector", formSelector, fromCore})
			}
		}
	}
	return out
}

// referencesOf are the rows for a resource. A federated object has those of what it
// holds in its template.
func referencesOf(resource Resource) []reference {
	var out []reference
	target, federated := strings.CutPrefix(resource.Plural, "federated")
	federated = federated && resource.Group == "types.kubefed.io"
	for _, row := range references {
		plural, _, _ := strings.Cut(row.resource, ".")
		switch {
		case row.resource == resource.Name():
			out = append(out, row)
		case federated && plural == target:
			row.path = "/spec/template" + row.path
			out = append(out, row)
		}
	}
	return out
}

// rewrite gives every value at a path to change, and puts what that returns in its
// place.
func rewrite(value any, tokens []string, at string, change func(at string, value any) any) any {
	if len(tokens) == 0 {
		return change(at, value)
	}
	switch value := value.(type) {
	case map[string]any:
		if child, ok := value[tokens[0]]; ok {
			value[tokens[0]] = rewrite(child, tokens[1:], at+"/"+escape.Replace(tokens[0]), change)
		}
	case []any:
		if tokens[0] != "*" {
			return value
		}
		for i, item := range value {
			value[i] = rewrite(item, tokens[1:], at+"/"+strconv.Itoa(i), change) //nolint:gosec // there is a first token, so there is a rest
		}
	}
	return value
}

// tokensOf are the parts of a JSON pointer.
func tokensOf(path string) []string {
	tokens := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i := range tokens {
		tokens[i] = unescape.Replace(tokens[i])
	}
	return tokens
}
