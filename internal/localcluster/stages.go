package localcluster

import (
	_ "embed"
	"strings"
)

// Annotations of pods that the stages heed.
const (
	// ReadyAnnotation set to "false" makes a pod run without ever becoming ready.
	ReadyAnnotation = "local.fedctl.io/ready"
	// JobDurationAnnotation is how long a pod of a Job runs ("30s"); by default a second.
	JobDurationAnnotation = "local.fedctl.io/job-duration"
)

var (
	//go:embed stages/node.yaml
	nodeStages string
	//go:embed stages/pod.yaml
	podStages string
	//go:embed stages/exec.yaml
	execStages string
)

// stages is kwok's configuration: how nodes and pods change by themselves.
func (c *Cluster) stages() []byte {
	parts := []string{nodeStages, podStages}
	if c.state.ExecPort != 0 {
		parts = append(parts, execStages)
	}
	return []byte(strings.Join(parts, "---\n"))
}
