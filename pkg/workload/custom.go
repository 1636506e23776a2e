package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/api/fedctl/v1alpha1"
)

// ErrSecret is why nothing is said of Secrets: what an expression makes of one is told where
// many may read who may not read it.
var ErrSecret = errors.New("spec.kind: what a Secret holds is not told: it has no pods, and its health is not judged by it")

// Compile makes a kind of what a WorkloadKind says. The error says what of its health cannot
// be carried out, by field. The kind is good all the same: policies go on changing its
// templates, and of the health of its objects nothing is known. There is none of Secrets
// (ErrSecret).
func Compile(spec *v1alpha1.WorkloadKindSpec) (*Kind, error) {
	if spec.Group == "" && spec.Kind == "Secret" {
		return nil, ErrSecret
	}
	kind := &Kind{
		GroupKind: schema.GroupKind{Group: spec.Group, Kind: spec.Kind},
		patience:  patientFor(time.Duration(spec.ProgressDeadlineSeconds) * time.Second),
	}
	for _, c := range spec.Components {
		in := component{template: c.Path, podSpec: c.Type == v1alpha1.PodSpec}
		if c.ReplicasPath != "" {
			in.replicas = []string{c.ReplicasPath}
		}
		kind.add(in)
	}
	var err error
	if spec.Health != nil {
		if kind.health, err = compileHealth(spec.Health); err != nil {
			kind.health = func(map[string]any) Health {
				return Health{Unknown, "the WorkloadKind cannot say: its condition Accepted is False"}
			}
		}
	}
	data, marshalErr := json.Marshal(spec)
	sum := sha256.Sum256(data)
	kind.revision = hex.EncodeToString(sum[:8])
	return kind, errors.Join(err, marshalErr)
}
