package status

import (
	"fmt"
	"strings"

	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/typeconfig"
)

// request is a type and perhaps a name, as the user wrote them.
type request struct {
	typeName string
	name     string
	// typ is the federated type, once it is resolved.
	typ typeconfig.Type
}

// isFor says whether the row is what the request asks for.
func (r request) isFor(row view.ObjectRow) bool {
	return row.Type == r.typ.Name && (r.name == "" || row.Name == r.name)
}

// parseArgs reads TYPE, TYPE NAME..., or TYPE/NAME... as kubectl does.
func parseArgs(args []string) ([]request, error) {
	if len(args) == 0 {
		return nil, nil
	}
	var requests []request
	if !strings.Contains(args[0], "/") {
		for _, typeName := range strings.Split(args[0], ",") {
			if typeName == "" {
				return nil, fmt.Errorf("%q is not a type", args[0])
			}
			if len(args) == 1 {
				requests = append(requests, request{typeName: typeName})
			}
			for _, name := range args[1:] {
				if strings.Contains(name, "/") {
					return nil, fmt.Errorf("%q: after a type come names only, or every argument is TYPE/NAME", name)
				}
				requests = append(requests, request{typeName: typeName, name: name})
			}
		}
		return requests, nil
	}
	for _, arg := range args {
		typeName, name, ok := strings.Cut(arg, "/")
		if !ok || typeName == "" || name == "" || strings.Contains(name, "/") {
			return nil, fmt.Errorf("%q is not TYPE/NAME", arg)
		}
		requests = append(requests, request{typeName: typeName, name: name})
	}
	return requests, nil
}
