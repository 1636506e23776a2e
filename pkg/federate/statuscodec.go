package federate

import "strconv"

// ToUnstructured returns the status as it stands in the object. Empty fields are
// left out. RemoteStatus and Rollup are shared, not copied.
func (s Status) ToUnstructured() map[string]any {
	out := map[string]any{}
	if s.ObservedGeneration != 0 {
		out["observedGeneration"] = s.ObservedGeneration
	}
	if len(s.Conditions) > 0 {
		conditions := make([]any, len(s.Conditions))
		for i := range s.Conditions {
			conditions[i] = s.Conditions[i].toUnstructured()
		}
		out["conditions"] = conditions
	}
	if len(s.Clusters) > 0 {
		clusters := make([]any, len(s.Clusters))
		propagated := 0
		for i := range s.Clusters {
			clusters[i] = s.Clusters[i].toUnstructured()
			if status := s.Clusters[i].Status; status == ClusterPropagationOK || status == Completed {
				propagated++
			}
		}
		out["clusters"] = clusters
		// For kubectl's column: it cannot count.
		out["summary"] = strconv.Itoa(propagated) + "/" + strconv.Itoa(len(clusters)-countNotSelected(s.Clusters))
	}
	if len(s.Rollup) > 0 {
		out["rollup"] = s.Rollup
	}
	return out
}

func (c *Condition) toUnstructured() map[string]any {
	out := map[string]any{"type": c.Type, "status": c.Status}
	setString(out, "reason", c.Reason)
	setString(out, "message", c.Message)
	setString(out, "lastUpdateTime", c.LastUpdateTime)
	setString(out, "lastTransitionTime", c.LastTransitionTime)
	return out
}

func (c *ClusterStatus) toUnstructured() map[string]any {
	out := map[string]any{"name": c.Name}
	setString(out, "status", string(c.Status))
	setString(out, "message", c.Message)
	setString(out, "version", c.Version)
	setString(out, "alsoWrittenBy", c.AlsoWrittenBy)
	if c.RemoteStatus != nil {
		out["remoteStatus"] = c.RemoteStatus
	}
	if c.Health != nil {
		out["health"] = c.Health.toUnstructured()
	}
	if c.Autoscaling != (Autoscaling{}) {
		out["autoscaling"] = c.Autoscaling.toUnstructured()
	}
	return out
}

func setString(out map[string]any, key, value string) {
	if value != "" {
		out[key] = value
	}
}

// ParseStatus reads a status, ours or KubeFed's. It is lenient, since a status
// is only what some controller once wrote: what has the wrong shape is left out.
// RemoteStatus and Rollup are shared with raw.
func ParseStatus(raw any) Status {
	var s Status
	status, _ := raw.(map[string]any)
	s.ObservedGeneration = toInt64(status["observedGeneration"])
	conditions, _ := status["conditions"].([]any)
	for _, raw := range conditions {
		if c, ok := raw.(map[string]any); ok {
			s.Conditions = append(s.Conditions, Condition{
				Type:               stringOf(c, "type"),
				Status:             stringOf(c, "status"),
				Reason:             stringOf(c, "reason"),
				Message:            stringOf(c, "message"),
				LastUpdateTime:     stringOf(c, "lastUpdateTime"),
				LastTransitionTime: stringOf(c, "lastTransitionTime"),
			})
		}
	}
	clusters, _ := status["clusters"].([]any)
	for _, raw := range clusters {
		if c, ok := raw.(map[string]any); ok {
			s.Clusters = append(s.Clusters, ClusterStatus{
				Name:          stringOf(c, "name"),
				Status:        PropagationStatus(stringOf(c, "status")),
				Message:       stringOf(c, "message"),
				Version:       stringOf(c, "version"),
				AlsoWrittenBy: stringOf(c, "alsoWrittenBy"),
				RemoteStatus:  c["remoteStatus"],
				Health:        parseHealth(c["health"]),
				Autoscaling:   parseAutoscaling(c["autoscaling"]),
			})
		}
	}
	if rollup, _ := status["rollup"].(map[string]any); len(rollup) > 0 {
		s.Rollup = rollup
	}
	return s
}

func stringOf(m map[string]any, key string) string {
	s, _ := m[key].(string)
	return s
}
