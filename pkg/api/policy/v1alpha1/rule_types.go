package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// OverrideRule changes objects in some clusters. All but labels, annotations, replicas and
// patches change the pod templates of workloads; an object without one is left as it is.
// What a template has is only replaced where that is said here.
type OverrideRule struct {
	// Clusters in which the rule counts; all, if it is not set.
	// +optional
	Clusters *ClusterSelector `json:"clusters,omitempty"`

	// DeriveTolerations adds the tolerations that pods need which ask for accelerators, from
	// the taints of the nodes that offer them there.
	// +optional
	DeriveTolerations *DeriveTolerations `json:"deriveTolerations,omitempty"`
	// Tolerations are added to those of the template.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`

	// Containers are the names of those that Env, EnvFrom, VolumeMounts, Resources, Command,
	// Args and Images change; all, init containers too, if none is named.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Containers []string `json:"containers,omitempty"`
	// Images are replaced part by part.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	Images []ImageOverride `json:"images,omitempty"`
	// Env is set; a variable of the same name is replaced.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	Env []corev1.EnvVar `json:"env,omitempty"`
	// EnvFrom is added.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`
	// VolumeMounts are added; another one of the same path is an error.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty"`
	// Resources replace requests and limits of the same names.
	// +optional
	Resources *Resources `json:"resources,omitempty"`
	// Command and Args replace those of the containers that are named.
	// +optional
	// +kubebuilder:validation:MaxItems=128
	Command []string `json:"command,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxItems=256
	Args []string `json:"args,omitempty"`

	// Volumes are added, as pods have them; another one of the same name is an error.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Volumes []apiextensionsv1.JSON `json:"volumes,omitempty"`
	// InitContainers are added before those of the template, in this order. With
	// restartPolicy Always they are sidecars.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	InitContainers []apiextensionsv1.JSON `json:"initContainers,omitempty"`
	// Sidecars are added after the containers of the template.
	// +optional
	// +kubebuilder:validation:MaxItems=16
	Sidecars []apiextensionsv1.JSON `json:"sidecars,omitempty"`

	// NodeSelector is added to the template's.
	// +optional
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// PriorityClassName, SchedulerName and RuntimeClassName replace the template's.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	PriorityClassName string `json:"priorityClassName,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SchedulerName string `json:"schedulerName,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=253
	RuntimeClassName string `json:"runtimeClassName,omitempty"`

	// Labels and Annotations of the object itself are set.
	// +optional
	Labels map[string]string `json:"labels,omitempty"`
	// +optional
	Annotations map[string]string `json:"annotations,omitempty"`
	// Replicas replaces spec.replicas, unless these are left to the members.
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas *int64 `json:"replicas,omitempty"`
	// Patches are JSON patch operations, as in the overrides of a federated object.
	// +optional
	// +kubebuilder:validation:MaxItems=256
	Patches []Patch `json:"patches,omitempty"`
}

// DeriveTolerations says how far derivation goes. A taint that marks hardware, that is,
// whose key is the resource which the node offers, is tolerated; so is nothing else, but
// for what is approved here.
type DeriveTolerations struct {
	// Approve opens pools that a taint closes which is somebody's decision: a tenant's,
	// spot capacity, another architecture.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Approve []TaintApproval `json:"approve,omitempty"`
	// RequireNodes keeps pods on nodes that offer what they ask for, by the product label of
	// the pools that are open to them. A toleration permits and does not attract.
	// +optional
	RequireNodes bool `json:"requireNodes,omitempty"`
}

// TaintApproval opens what one taint closes.
//
// +kubebuilder:validation:XValidation:rule="!(has(self.value) && has(self.anyValue) && self.anyValue)",message="value and anyValue exclude each other"
type TaintApproval struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=316
	Key string `json:"key"`
	// Value is that of the taint; empty for one without a value.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Value string `json:"value,omitempty"`
	// AnyValue is for values that rotate, such as the id of a reservation.
	// +optional
	AnyValue bool `json:"anyValue,omitempty"`
	// +kubebuilder:validation:Enum=NoSchedule;NoExecute
	Effect corev1.TaintEffect `json:"effect"`
}

// ImageOverride replaces parts of images, and leaves the others. A digest that is set takes
// the place of the tag, and a tag that of the digest.
//
// +kubebuilder:validation:XValidation:rule="has(self.registry) || has(self.repository) || has(self.tag) || has(self.digest)",message="set one of registry, repository, tag and digest"
type ImageOverride struct {
	// From limits it to images of this registry and repository, such as docker.io/library/nginx.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	From string `json:"from,omitempty"`
	// Registry such as registry.example.com:5000.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Registry string `json:"registry,omitempty"`
	// Repository such as team/app.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	Repository string `json:"repository,omitempty"`
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Tag string `json:"tag,omitempty"`
	// Digest such as sha256:…
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Digest string `json:"digest,omitempty"`
}

// Resources are those of a container.
type Resources struct {
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`
	// +optional
	Limits corev1.ResourceList `json:"limits,omitempty"`
}

// Patch is one JSON patch operation.
type Patch struct {
	// +optional
	// +kubebuilder:validation:Enum=add;remove;replace
	Op string `json:"op,omitempty"`
	// Path is a JSON pointer into the object, or into the document that In names.
	// +kubebuilder:validation:Pattern=`^/`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path"`
	// +optional
	Value *apiextensionsv1.JSON `json:"value,omitempty"`
	// In is a document in a string of the object, such as a file of a ConfigMap.
	// +optional
	In *Document `json:"in,omitempty"`
}

// Document is a document that an object holds in a string. It is written anew when it is
// changed: keys are sorted, and comments are lost.
type Document struct {
	// Path is a JSON pointer to the string, such as /data/config.yaml.
	// +kubebuilder:validation:Pattern=`^/`
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Path string `json:"path"`
	// +kubebuilder:validation:Enum=YAML;JSON
	Format DocumentFormat `json:"format"`
}

// DocumentFormat is how a document is written.
type DocumentFormat string

// Formats of documents.
const (
	FormatYAML DocumentFormat = "YAML"
	FormatJSON DocumentFormat = "JSON"
)
