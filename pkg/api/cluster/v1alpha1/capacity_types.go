package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterCapacity is what a member cluster's nodes offer. It has the name of the
// KubeFedCluster, lives in the same namespace, and goes with it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,path=clustercapacities,shortName=capacity
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes`
// +kubebuilder:printcolumn:name="Ready",type=integer,JSONPath=`.status.readyNodes`
// +kubebuilder:printcolumn:name="Known",type=string,JSONPath=`.status.conditions[?(@.type=="Known")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterCapacity struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +optional
	Spec ClusterCapacitySpec `json:"spec,omitempty"`
	// +optional
	Status ClusterCapacityStatus `json:"status,omitempty"`
}

// ClusterCapacityList is a list of ClusterCapacities.
//
// +kubebuilder:object:root=true
type ClusterCapacityList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ClusterCapacity `json:"items"`
}

// ClusterCapacitySpec is what people know of a cluster and its nodes do not say.
type ClusterCapacitySpec struct {
	// StartupTaints are put on new nodes and taken away when these are ready, such as by
	// what installs a driver. Nothing ever tolerates them, and nodes that have one do not
	// count as available. Values do not matter. Those of Karpenter's NodePools are known
	// without this, where they can be read.
	// +optional
	// +kubebuilder:validation:MaxItems=64
	StartupTaints []StartupTaint `json:"startupTaints,omitempty"`
	// FollowRequestsUntil has the controller follow until then what the cluster's pods ask
	// for, so that the status says what is free. "fedctl top" sets it some minutes ahead;
	// whoever wants to know it always names a time that is far away.
	// +optional
	FollowRequestsUntil *metav1.Time `json:"followRequestsUntil,omitempty"`
}

// StartupTaint is a taint that passes.
type StartupTaint struct {
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=316
	Key string `json:"key"`
	// +kubebuilder:validation:Enum=NoSchedule;NoExecute;PreferNoSchedule
	Effect corev1.TaintEffect `json:"effect"`
}

// Conditions of a ClusterCapacity.
const (
	// ConditionKnown is True while the status says what the member's nodes are now. Otherwise
	// it says what they were when they could be read last.
	ConditionKnown = "Known"
	// ConditionRequestsKnown is True while the status says what pods ask for, and so what is
	// free. Otherwise it says nothing of that.
	ConditionRequestsKnown = "RequestsKnown"
	// ConditionPluginsRun is False while nodes offer nothing of a resource that they should
	// offer, and have been Ready for a while. It is there while any node should.
	ConditionPluginsRun = "PluginsRun"
	// ConditionScalable says whether what is said of the cluster's growth can be read. It is
	// there while anything is said.
	ConditionScalable = "Scalable"
	// ConditionDevicesKnown is True while the status says what devices there are that pods
	// get by ResourceClaims. It is there where the member serves resource.k8s.io/v1.
	ConditionDevicesKnown = "DevicesKnown"
	// ConditionNodePoolsKnown is True while the status says how far Karpenter's NodePools
	// let the cluster grow. It is there where the member serves karpenter.sh/v1.
	ConditionNodePoolsKnown = "NodePoolsKnown"
	// ConditionNodeGroupsKnown is True while the status says how far the node groups of Cluster
	// API and OpenShift let the cluster grow. It is there where the member serves some of them.
	ConditionNodeGroupsKnown = "NodeGroupsKnown"
)

// Reasons of conditions.
const (
	ReasonFollowed   = "Followed"
	ReasonUnreadable = "NodesUnreadable"
	// ReasonTooManyPools says that the status holds only the first pools, or growth by
	// only the first NodePools.
	ReasonTooManyPools = "TooManyPools"
	// ReasonNotFollowed says that nobody wants to know what pods ask for.
	ReasonNotFollowed = "NotFollowed"
	// ReasonListing says that pods, devices or NodePools are being read.
	ReasonListing = "Listing"
	// ReasonPodsUnreadable says that the pods cannot be read.
	ReasonPodsUnreadable = "PodsUnreadable"
	// ReasonRunning says that every node offers what it should offer, or is starting.
	ReasonRunning = "Running"
	// ReasonDivided says that they do, and that some offer hardware whole and in shares, such as
	// nvidia.com/gpu beside nvidia.com/mig-1g.10gb.
	ReasonDivided = "Divided"
	// ReasonNoDevicePlugin says that nodes do not.
	ReasonNoDevicePlugin = "NoDevicePlugin"
	// ReasonDeclared says that growth is declared.
	ReasonDeclared = "Declared"
	// ReasonInvalidScalable says that the annotation of the KubeFedCluster cannot be read.
	ReasonInvalidScalable = "InvalidScalable"
	// ReasonDevicesUnreadable says that devices cannot be read and never could be, or that
	// not all of them are counted.
	ReasonDevicesUnreadable = "DevicesUnreadable"
	// ReasonDevicesStale says that devices are as they were when they could be read last.
	ReasonDevicesStale = "DevicesStale"
	// ReasonClaimsUnreadable says that devices are known, and not which of them are free.
	ReasonClaimsUnreadable = "ClaimsUnreadable"
	// ReasonTaintRulesUnreadable says that devices are known, but for those that DeviceTaintRules
	// taint which cannot be read.
	ReasonTaintRulesUnreadable = "TaintRulesUnreadable"
	// ReasonNodePoolsUnreadable says that NodePools cannot be read.
	ReasonNodePoolsUnreadable = "NodePoolsUnreadable"
	// ReasonInvalidNodePool says that a NodePool has something in it that is not understood.
	ReasonInvalidNodePool = "InvalidNodePool"
	// ReasonNodeGroupsUnreadable says that node groups cannot be read.
	ReasonNodeGroupsUnreadable = "NodeGroupsUnreadable"
	// ReasonInvalidNodeGroup says that a node group has something in it that is not understood.
	ReasonInvalidNodeGroup = "InvalidNodeGroup"
)

// ScalableAnnotation is what people know of how far a cluster can grow: on its
// KubeFedCluster, the most that there can be of resources in all, such as
// "nvidia.com/gpu=64,cpu=512".
const ScalableAnnotation = "cluster.fedctl.io/scalable"

// DeviceClassPrefix and the name of a DeviceClass are what Kubernetes calls devices of the
// class as a resource: those that pods get by ResourceClaims.
const DeviceClassPrefix = "deviceclass.resource.kubernetes.io/"

// MostPools is how many pools a status holds.
const MostPools = 256

// ClusterCapacityStatus is what the controller sees.
type ClusterCapacityStatus struct {
	// Nodes is how many there are, ReadyNodes how many are Ready and not cordoned.
	// +optional
	Nodes int32 `json:"nodes,omitempty"`
	// +optional
	ReadyNodes int32 `json:"readyNodes,omitempty"`
	// Pools are the nodes grouped by resource, product and taints, and sorted by these,
	// accelerators first. A node is in one pool for each resource that it offers: cpu,
	// memory, pods, and extended resources.
	// +optional
	// +listType=atomic
	Pools []Pool `json:"pools,omitempty"`
	// Resources are the pools summed up, whatever their taints, and how much more there can
	// be, sorted by name.
	// +optional
	// +listType=map
	// +listMapKey=resource
	Resources []Total `json:"resources,omitempty"`
	// Growth is how far the cluster can grow, by who says so.
	// +optional
	// +listType=atomic
	Growth []Growth `json:"growth,omitempty"`
	// StartingNodePools are those of Karpenter's NodePools whose new nodes have taints that
	// pass, sorted by name.
	// +optional
	// +listType=atomic
	StartingNodePools []StartingNodePool `json:"startingNodePools,omitempty"`
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// StartingNodePool is a NodePool and the taints of its new nodes that pass.
type StartingNodePool struct {
	Name string `json:"name"`
	// +listType=atomic
	StartupTaints []StartupTaint `json:"startupTaints"`
}

// Pool is nodes that are alike to a pod which asks for a resource.
type Pool struct {
	// Resource is cpu, memory, pods, an extended resource such as nvidia.com/gpu, or
	// deviceclass.resource.kubernetes.io/ and the name of a DeviceClass.
	Resource string `json:"resource"`
	// Product is what the nodes say they are, and ProductLabel the label that says it.
	// +optional
	Product string `json:"product,omitempty"`
	// +optional
	ProductLabel string `json:"productLabel,omitempty"`
	// Taints are those that stay, without those of nodes that are broken, starting or
	// about to go.
	// +optional
	// +listType=atomic
	Taints []PoolTaint `json:"taints,omitempty"`
	// Nodes is how many there are; AvailableNodes how many of them are Ready, neither
	// cordoned nor broken, starting or about to go.
	Nodes int32 `json:"nodes"`
	// +optional
	AvailableNodes int32 `json:"availableNodes,omitempty"`
	// StartingNodes is how many are Ready, should offer the resource, because nodes of the
	// product do, and do not yet; NodesWithoutPlugin how many are 15 minutes later.
	// +optional
	StartingNodes int32 `json:"startingNodes,omitempty"`
	// +optional
	NodesWithoutPlugin int32 `json:"nodesWithoutPlugin,omitempty"`
	// Allocatable is how much of the resource the available nodes offer together, and
	// LargestNode the most that one node of the pool offers.
	// +optional
	Allocatable resource.Quantity `json:"allocatable,omitempty"`
	// +optional
	LargestNode resource.Quantity `json:"largestNode,omitempty"`
	// Requested is what the pods on the available nodes ask for, as the scheduler counts
	// it, Free what these nodes have left, and LargestFree the most that one of them has
	// left. They are absent while the pods are not followed.
	// +optional
	Requested *resource.Quantity `json:"requested,omitempty"`
	// +optional
	Free *resource.Quantity `json:"free,omitempty"`
	// +optional
	LargestFree *resource.Quantity `json:"largestFree,omitempty"`
}

// Total is one resource of all nodes of a cluster.
type Total struct {
	Resource string `json:"resource"`
	// Allocatable, Requested and Free are those of the pools; the last two are absent while
	// the pods are not followed.
	Allocatable resource.Quantity `json:"allocatable"`
	// +optional
	Requested *resource.Quantity `json:"requested,omitempty"`
	// +optional
	Free *resource.Quantity `json:"free,omitempty"`
	// Growth is how much more there can be, and FreeAfterGrowing what is free then. They are
	// absent where nobody says so.
	// +optional
	Growth *resource.Quantity `json:"growth,omitempty"`
	// +optional
	FreeAfterGrowing *resource.Quantity `json:"freeAfterGrowing,omitempty"`
	// Unlimited says that there is no limit to growth, and so no number.
	// +optional
	Unlimited bool `json:"unlimited,omitempty"`
}

// GrowthSource says who knows how far a cluster can grow.
type GrowthSource string

// Sources of growth.
const (
	// GrowthDeclared is the annotation of the KubeFedCluster.
	GrowthDeclared GrowthSource = "Declared"
	// GrowthNodePool is the limit of a Karpenter NodePool in the member.
	GrowthNodePool GrowthSource = "NodePool"
	// GrowthNodeGroup is the size of a node group in the member: machines of Cluster API's or
	// OpenShift's of which the cluster-autoscaler makes more.
	GrowthNodeGroup GrowthSource = "NodeGroup"
)

// Growth is how much more of a resource there can be.
type Growth struct {
	Source GrowthSource `json:"source"`
	// Name is the NodePool's, or the kind, namespace and name of a node group.
	// +optional
	Name     string `json:"name,omitempty"`
	Resource string `json:"resource"`
	// Product is what new nodes say they are, and ProductLabel the label that says it, as far as
	// that is known.
	// +optional
	Product string `json:"product,omitempty"`
	// +optional
	ProductLabel string `json:"productLabel,omitempty"`
	// Most is how much there can be in all, and More how much more than now. They are
	// absent where Unlimited says that there is no limit.
	// +optional
	Most *resource.Quantity `json:"most,omitempty"`
	// +optional
	More *resource.Quantity `json:"more,omitempty"`
	// +optional
	Unlimited bool `json:"unlimited,omitempty"`
	// Taints are those that new nodes have and keep, as far as that is known.
	// +optional
	// +listType=atomic
	Taints []corev1.Taint `json:"taints,omitempty"`
}

// PoolTaint is a taint of a pool, and what it means to pods that ask for the resource.
type PoolTaint struct {
	Key string `json:"key"`
	// +optional
	Value  string             `json:"value,omitempty"`
	Effect corev1.TaintEffect `json:"effect"`
	// Meaning is Hardware where the taint says what the resource says and nothing else;
	// Preferred where it keeps no pod out; Restricted where a person decides who gets in.
	// +kubebuilder:validation:Enum=Hardware;Preferred;Restricted
	Meaning TaintMeaning `json:"meaning"`
}

// TaintMeaning is what a taint means to pods that ask for the resource of its nodes.
type TaintMeaning string

// Meanings of taints.
const (
	TaintHardware   TaintMeaning = "Hardware"
	TaintPreferred  TaintMeaning = "Preferred"
	TaintRestricted TaintMeaning = "Restricted"
)
