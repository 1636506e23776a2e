// Command fedctl is the command line of the federation: see internal/cli.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/fedctl/fedctl/internal/cli"
	"github.com/fedctl/fedctl/internal/cli/cmdutil"
)

func main() {
	os.Exit(run())
}

// run returns the exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal ends the program at once
	// Nobody who reads no further ends what is being done half-way: writing fails, and what
	// is only written to be read ends by that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	name := "fedctl"
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-") {
		name = "kubectl fed"
	}
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	err := cli.NewCommand(name, streams).ExecuteContext(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		if err == context.Canceled { //nolint:errorlint // what wraps it says more
			err = context.Cause(ctx)
		}
		fmt.Fprintln(os.Stderr, "error: interrupted:", err)
		return cmdutil.ExitInterrupted
	case unread(err):
		return cmdutil.ExitUnread
	case err != nil && !errors.Is(err, cmdutil.ErrSaid):
		fmt.Fprintln(os.Stderr, "error:", cmdutil.Explain(err))
	}
	return cmdutil.ExitCode(err)
}

// unread says whether nobody reads the output any more; the same of a connection is an
// error of another kind.
func unread(err error) bool {
	var file *fs.PathError
	return errors.As(err, &file) && errors.Is(file, syscall.EPIPE)
}
