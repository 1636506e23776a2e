package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	utilexec "k8s.io/client-go/util/exec"
	"k8s.io/kubectl/pkg/util/term"

	"github.com/fedctl/fedctl/internal/cli/cmdutil"
	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/lines"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// atOnce is in how many members the command runs at a time.
const atOnce = 16

// several runs the command in each member, side by side, in lines that name their cluster.
func (o *Options) several(ctx context.Context, in []members.Member, missing bool, name string, command []string) error {
	out, errOut := o.writer(o.factory.Out), o.writer(o.factory.ErrOut)
	errs := make([]error, len(in))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, m := range in {
		group.Go(func() error {
			from := lines.Source{Cluster: m.Name}
			to, errTo := out.Of(from), errOut.Of(from)
			errs[i] = o.in(ctx, m, name, command, genericiooptions.IOStreams{Out: to, ErrOut: errTo})
			errs[i] = errors.Join(errs[i], to.Close(), errTo.Close())
			return nil
		})
	}
	_ = group.Wait() // none fails
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i, m := range in {
		if errs[i] != nil {
			_, _ = fmt.Fprintf(o.factory.ErrOut, "cluster %s: %s\n", m.Name, errtext.Stable(errs[i]))
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
