package federate

// ParseError says which field of a federated object cannot be read. It concerns
// the whole object, not one cluster.
type ParseError struct {
	// Field is the path in the user's manifest, e.g. spec.placement.clusters[1].name.
	Field   string
	Message string
	// Reason is the reason of the Propagation condition.
	Reason AggregateReason
	// Status is what every selected cluster reports; empty when the placement
	// itself is unknown, in which case nothing may be written or deleted anywhere.
	Status PropagationStatus
}

// PlacementUnknown says whether it cannot be told which clusters are meant; false of nil.
func (e *ParseError) PlacementUnknown() bool { return e != nil && e.Status == "" }

// Error implements error.
func (e *ParseError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// RenderError says why an object cannot be made for a cluster.
type RenderError struct {
	// Status is ComputeResourceFailed or ApplyOverridesFailed.
	Status PropagationStatus
	// Cluster is the one concerned; empty when it is the template, which concerns all.
	Cluster string
	// Field is the path in the user's manifest, e.g. spec.overrides[0].clusterOverrides[2].path.
	Field   string
	Message string
}

// Detail is the error without the cluster, for where the cluster is plain, such
// as its own entry in the status.
func (e *RenderError) Detail() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Error implements error.
func (e *RenderError) Error() string {
	if e.Cluster == "" {
		return e.Detail()
	}
	return "cluster " + e.Cluster + ": " + e.Detail()
}
