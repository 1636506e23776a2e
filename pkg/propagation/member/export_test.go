package member

import "time"

// RecheckSchemasAfter sets how long a schema is taken to be the same without a look.
func (a *Applier) RecheckSchemasAfter(d time.Duration) { a.schemas.recheck = d }
