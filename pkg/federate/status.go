package federate

// PropagationStatus is the state of a federated object in one cluster: empty
// when all is well, otherwise one word. The words are KubeFed's.
type PropagationStatus string

// KubeFed's words for the state in a cluster.
const (
	ClusterPropagationOK PropagationStatus = ""
	WaitingForRemoval    PropagationStatus = "WaitingForRemoval"

	ClusterNotReady        PropagationStatus = "ClusterNotReady"
	CachedRetrievalFailed  PropagationStatus = "CachedRetrievalFailed"
	ComputeResourceFailed  PropagationStatus = "ComputeResourceFailed"
	ApplyOverridesFailed   PropagationStatus = "ApplyOverridesFailed"
	CreationFailed         PropagationStatus = "CreationFailed"
	UpdateFailed           PropagationStatus = "UpdateFailed"
	DeletionFailed         PropagationStatus = "DeletionFailed"
	LabelRemovalFailed     PropagationStatus = "LabelRemovalFailed"
	RetrievalFailed        PropagationStatus = "RetrievalFailed"
	AlreadyExists          PropagationStatus = "AlreadyExists"
	FieldRetentionFailed   PropagationStatus = "FieldRetentionFailed"
	VersionRetrievalFailed PropagationStatus = "VersionRetrievalFailed"
	ClientRetrievalFailed  PropagationStatus = "ClientRetrievalFailed"
	ManagedLabelFalse      PropagationStatus = "ManagedLabelFalse"

	// NotSelected is ours: the object is there, bears our label, and no placement has
	// selected the cluster since it joined. It is kept for a while.
	NotSelected PropagationStatus = "NotSelected"

	CreationTimedOut     PropagationStatus = "CreationTimedOut"
	UpdateTimedOut       PropagationStatus = "UpdateTimedOut"
	DeletionTimedOut     PropagationStatus = "DeletionTimedOut"
	LabelRemovalTimedOut PropagationStatus = "LabelRemovalTimedOut"
)

// LabelStripped is ours: the object is there as it is wanted, but admission in the cluster
// takes our label off it.
const LabelStripped PropagationStatus = "LabelStripped"

// Completed is ours: the object was there as it is wanted, has ended or was consumed, and is
// gone. It is not made again before something else is wanted.
const Completed PropagationStatus = "Completed"

// Drifted is ours: something in the cluster has changed what the template sets, again and
// again, so that it is put right after a while only.
const Drifted PropagationStatus = "Drifted"

// WaitingForRights is ours: the cluster gives the right to write by namespace, and has not
// given it in the namespace of the object yet.
const WaitingForRights PropagationStatus = "WaitingForRights"

// Trouble says whether a status tells that something is not as wanted.
func (s PropagationStatus) Trouble() bool {
	return s != ClusterPropagationOK && s != NotSelected && s != Completed
}

// AggregateReason is the reason of the Propagation condition; empty when True.
type AggregateReason string

// KubeFed's reasons.
const (
	AggregateSuccess       AggregateReason = ""
	ClusterRetrievalFailed AggregateReason = "ClusterRetrievalFailed"
	ComputePlacementFailed AggregateReason = "ComputePlacementFailed"
	CheckClusters          AggregateReason = "CheckClusters"
	NamespaceNotFederated  AggregateReason = "NamespaceNotFederated"
)

// Types of conditions and their values.
const (
	// ConditionPropagation is KubeFed's only condition.
	ConditionPropagation = "Propagation"
	// ConditionAccepted is ours: False while something in the spec is wrong that
	// did not stop propagation; absent otherwise.
	ConditionAccepted = "Accepted"
	// ConditionCollected is ours: False while the status of an object in a member is
	// too large to be collected; absent otherwise.
	ConditionCollected = "StatusCollected"
	// ConditionReady is ours: whether the object works in every cluster where it is to be.
	ConditionReady = "Ready"
	// ConditionStalled is ours: True while the object is Degraded in a cluster; absent
	// otherwise. kstatus reads it as a failure.
	ConditionStalled = "Stalled"

	ConditionTrue  = "True"
	ConditionFalse = "False"

	ConditionUnknown = "Unknown"
)

// Status is status of a federated object: KubeFed's schema with optional
// additions, which KubeFed's own schema prunes harmlessly.
type Status struct {
	ObservedGeneration int64
	Conditions         []Condition
	// Clusters is sorted by name when we wrote it.
	Clusters []ClusterStatus
	// Rollup is ours: what a Rollup has made of the clusters; nil for most types.
	Rollup map[string]any
}

// Rollup adds up what the clusters say of an object: status.rollup of types where
// there is something to add up. The result is JSON that depends on nothing but the
// clusters; nil leaves the field out.
type Rollup func(clusters []ClusterStatus) map[string]any

// Condition is an item of status.conditions. Times are RFC 3339 in UTC.
type Condition struct {
	Type, Status, Reason, Message, LastUpdateTime, LastTransitionTime string
}

// ClusterStatus is an item of status.clusters.
type ClusterStatus struct {
	Name   string
	Status PropagationStatus
	// Message is ours: why the status is what it is; empty when all is well.
	Message string
	// Version is ours: what was last applied, in the propagation engine's words.
	Version string
	// AlsoWrittenBy is ours: what other managers have written of an object that is Shared,
	// as Foreign says it.
	AlsoWrittenBy string
	// RemoteStatus is the status of the object in the member, for types that collect it.
	RemoteStatus any
	// Health is ours: how the object fares there, for types whose health is collected.
	Health *Health
	// Autoscaling is ours: what autoscalers there mean for the object.
	Autoscaling Autoscaling
}

// Condition returns the condition of the type, or nil.
func (s Status) Condition(conditionType string) *Condition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == conditionType {
			return &s.Conditions[i]
		}
	}
	return nil
}

// Cluster returns the entry of the cluster, or nil.
func (s Status) Cluster(name string) *ClusterStatus {
	for i := range s.Clusters {
		if s.Clusters[i].Name == name {
			return &s.Clusters[i]
		}
	}
	return nil
}
