// Package checkup examines a federation: it reads the host, asks the members a few
// questions, and has package diagnosis judge. It is what doctor and support dump share,
// and it writes nothing anywhere. It knows no command.
//
//	gather.go   what is read of the host
//	members.go  what the members are asked
//	autoscalers.go  whether their autoscalers can be read
//	shipped.go  whether what is installed is what fedctl brings
package checkup

import (
	"context"

	"github.com/fedctl/fedctl/internal/cli/checkup/diagnosis"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

// Examine says what is wrong. What cannot be read is part of the report; the error is for
// a host that does not answer.
func Examine(ctx context.Context, f *cmdutil.Factory) (diagnosis.Report, error) {
	g, err := newGatherer(f)
	if err != nil {
		return diagnosis.Report{}, err
	}
	input, err := g.gather(ctx)
	if err != nil {
		return diagnosis.Report{}, err
	}
	return diagnosis.Diagnose(*input), nil
}
