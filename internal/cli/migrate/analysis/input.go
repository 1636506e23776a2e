package analysis

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/kubefedconfig"
)

// Input is what was read of the host cluster.
type Input struct {
	// Namespace is the one of KubeFed's control plane.
	Namespace string
	// Now is the time the report is about.
	Now time.Time
	// Served are the API groups, versions and kinds of the host.
	Served Served
	// CRDs are the definitions of federated types: those in group types.kubefed.io
	// and those that a FederatedTypeConfig names.
	CRDs []CRD
	// Types are the FederatedTypeConfigs, as they are stored.
	Types []fedcorev1beta1.FederatedTypeConfig
	// Clusters are the KubeFedClusters.
	Clusters []fedcorev1beta1.KubeFedCluster
	// Secrets are those that KubeFedClusters name, by name; one that does not exist
	// is nil, one that could not be read is missing from the map.
	Secrets map[string]*corev1.Secret
	// Config is the KubeFedConfig "kubefed"; nil if there is none.
	Config *fedcorev1beta1.KubeFedConfig
	// ConfigUnread says that it could not be read: there may be one.
	ConfigUnread bool
	// ConfigError says why fedctl's controller would not start with Config.
	ConfigError string
	// Objects are what was found of each federated type, by the name of its CRD.
	Objects map[string]*Objects
	// Counts are numbers of other objects, by plural name: propagatedversions,
	// clusterpropagatedversions, replicaschedulingpreferences, federatedservicestatuses.
	Counts map[string]int

	Webhooks    []Webhook
	Deployments []Deployment
	Locks       []Lock
	// Unreadable is what could not be read, each with its error.
	Unreadable []string
}

// Served tells what an API server serves.
type Served struct {
	Kinds map[schema.GroupVersionKind]bool
	// Incomplete are the groups that could not be asked for, such as those of an
	// aggregated API server that is down.
	Incomplete map[string]bool
}

// lacks says whether the server is known not to serve gvk.
func (s Served) lacks(gvk schema.GroupVersionKind) bool {
	return !s.Kinds[gvk] && !s.Incomplete[gvk.Group]
}

// CRD is a CustomResourceDefinition of a federated type.
type CRD struct {
	Name, Group, Plural, Kind string
	// Version is one that is served, to read objects by; empty if none is.
	Version    string
	Namespaced bool
	Deleting   bool
	// KnowsTemplate is set if its schema knows the fields of templates, as those that
	// fedctl makes do.
	KnowsTemplate bool
}

// Webhook is one of KubeFed's admission configurations.
type Webhook struct {
	// Resource is validatingwebhookconfigurations or mutatingwebhookconfigurations.
	Resource, Name string
}

// Deployment is one of KubeFed's or fedctl's in the control plane's namespace.
type Deployment struct {
	Name        string
	Want, Ready int32
}

// The names of the Deployments that matter.
const (
	KubeFedController = kubefedconfig.KubeFedController
	KubeFedWebhook    = "kubefed-admission-webhook"
	FedctlController  = kubefedconfig.Controller
)

// Lock is a leader lock of KubeFed's controller.
type Lock struct {
	// Resource is configmaps, endpoints or leases.
	Resource, Holder string
	Renewed          time.Time
	Duration         time.Duration
}

// held says whether a controller has renewed the lock lately. Twice the duration
// allows for clocks that differ.
func (l Lock) held(now time.Time) bool {
	return l.Holder != "" && now.Sub(l.Renewed) < max(2*l.Duration, 30*time.Second)
}
