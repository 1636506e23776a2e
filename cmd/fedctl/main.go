// Command fedctl is the command line of the federation: see internal/cli.
package main

import (
	"context"
	"errors"
	"fmt"
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

	name := "fedctl"
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-") {
		name = "kubectl fed"
	}
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	err := cli.NewCommand(name, streams).ExecuteContext(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "error: interrupted:", err)
		return cmdutil.ExitInterrupted
	case err != nil && !errors.Is(err, cmdutil.ErrSaid):
		fmt.Fprintln(os.Stderr, "error:", cmdutil.Explain(err))
	}
	return cmdutil.ExitCode(err)
}
