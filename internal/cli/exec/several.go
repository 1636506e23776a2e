package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	utilexec "k8s.io/client-go/util/exec"
	"k8s.io/kubectl/pkg/util/term"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/lines"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/turns"
)

// soon is for how long a command counts: it may last, and is to run everywhere.
const soon = 2 * members.Soon

// several runs the command in each member, side by side, in lines that name their cluster and
// pod.
func (o *Options) several(ctx context.Context, in []members.Member, missing bool, name string, command []string) error {
	out, errOut := o.writer(o.factory.Out), o.writer(o.factory.ErrOut)
	errs, where := make([]error, len(in)), make([]lines.Source, len(in))
	turns.New(members.AtOnce, soon).Each(ctx, len(in), func(i int) {
		where[i].Cluster = in[i].Name
		to, errTo := out.Of(where[i]), errOut.Of(where[i])
		errs[i] = o.in(ctx, in[i], name, command, genericiooptions.IOStreams{Out: to, ErrOut: errTo}, func(pod string) {
			where[i].Pod = pod
			to.Rename(where[i])
			errTo.Rename(where[i])
		})
		errs[i] = errors.Join(errs[i], to.Close(), errTo.Close())
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i, from := range where {
		if errs[i] != nil {
			_, _ = fmt.Fprintf(o.factory.ErrOut, "[%s] %s\n", from, errtext.Stable(errs[i]))
		}
	}
	code := worst(errs, missing)
	if code == 0 {
		return nil
	}
	return cmdutil.ExitError{Code: code, Err: cmdutil.ErrSaid}
}

func (o *Options) writer(to io.Writer) *lines.Writer {
	terminal := term.TTY{Out: to}.IsTerminalOut()
	_, colorless := os.LookupEnv("NO_COLOR")
	return lines.NewWriter(to, lines.Style{Terminal: terminal, Color: terminal && !colorless}, false)
}

// worst is the exit code that stands for all: the greatest, and 1 at least where the command
// has not run.
func worst(errs []error, missing bool) (code int) {
	if missing {
		code = 1
	}
	for _, err := range errs {
		var ended utilexec.CodeExitError
		switch {
		case errors.As(err, &ended):
			code = max(code, ended.Code)
		case err != nil:
			code = max(code, 1)
		}
	}
	return code
}
