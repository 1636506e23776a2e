package diagnosis

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"
)

// Input is what was read of a federation.
type Input struct {
	// Namespace is that of the control plane.
	Namespace string
	Now       time.Time
	// Version is fedctl's own; empty if it does not know.
	Version string
	// Unread is what could not be read: nothing follows from its not being there.
	Unread []Unread

	// Installed is set if the host knows a KubeFedConfig; ConfigError is why the
	// controller cannot work with it.
	Installed   bool
	ConfigError string
	Controller  *Deployment
	// KubeFed is its own controller's Deployment.
	KubeFed *Deployment
	// Leader holds the Lease; NoLeaderSince is when it was last renewed, if that is over.
	Leader        string
	NoLeaderSince *time.Time

	Shipped  []Shipped
	Clusters []Cluster
	Types    []Type
	Policies []Policy
	// Capacities are what the ClusterCapacities say of how far the members' facts are known.
	Capacities []Capacity
	Troubles   *Troubles
}

// Deployment is a Deployment of the control plane.
type Deployment struct {
	Name        string
	Want, Ready int32
	Image       string
}

// Shipped is an object that every installation has, as far as this host has it.
type Shipped struct {
	Kind, Name string
	// Missing and Differs: it is not there, or not what this fedctl brings.
	Missing, Differs bool
}

// Cluster is a member, and what it has said to the credentials of the control plane.
type Cluster struct {
	Object fedcorev1beta1.KubeFedCluster
	// TokenLifetime is how long the tokens live that the controller asks for; 0 if it asks
	// for none. TokenKnown is unset where the Secret may not be read.
	TokenLifetime time.Duration
	TokenKnown    bool
	// Everything says that the account may do everything in the member.
	Everything bool
	// Others are the accounts, namespace/name, with which other hosts have joined it, as far
	// as it may be asked.
	Others []string
	// Skew is how far the member's clock is ahead of the host's.
	Skew time.Duration
	// AutoscalersUnread is why the control plane cannot read its autoscalers; empty if it can.
	AutoscalersUnread string
	// Silent is why it has not answered just now.
	Silent string
}

// Type is a FederatedTypeConfig.
type Type struct {
	Name       string
	Definition string // name of the federated type's CustomResourceDefinition
	// Defined is unset if the host has no such definition.
	Defined    bool
	Enabled    bool
	Running    bool
	Conditions []metav1.Condition
}

// Policy is an object of ours that is carried out or not, as a condition says.
type Policy struct {
	Kind, Namespace, Name string
	Conditions            []metav1.Condition
}

// Capacity is a ClusterCapacity: its name is the member's.
type Capacity struct {
	Name       string
	Conditions []metav1.Condition
}

// Unread is something that could not be read.
type Unread struct {
	// Kind is what it is, such as KubeFedCluster, and Object its name; empty for all.
	Kind, Object string
	// Why is empty where the account may not read it.
	Why string
}
