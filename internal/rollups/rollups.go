// Package rollups names the types whose federated status adds up what the members
// say: the controller computes it, and the definition of the federated type has it.
package rollups

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fedctl/fedctl/pkg/backup/rollup"
	"github.com/fedctl/fedctl/pkg/federate"
	"github.com/fedctl/fedctl/pkg/typeconfig/definition"
)

// Functions are what the controller calls, by the kind of the target.
func Functions() map[schema.GroupKind]federate.Rollup {
	return map[schema.GroupKind]federate.Rollup{rollup.Target: rollup.Of}
}

// Schemas are what the definitions of the federated types get, by the kind of the target.
func Schemas() map[schema.GroupKind]definition.Rollup {
	return map[schema.GroupKind]definition.Rollup{rollup.Target: {Schema: rollup.Schema(), Columns: rollup.Columns()}}
}
