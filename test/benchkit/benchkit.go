// Package benchkit is what the programs that measure share: they are interrupted by signals,
// name their error, write their result where they are told, and may have a server be some way
// away. It knows nothing of what is measured.
package benchkit

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Main runs a program, whose context ends when it is interrupted. A failure is told, and is the
// exit code 1.
func Main(command func(ctx context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// WriteJSON writes a result to a file, if one is named.
func WriteJSON(path string, result any) error {
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o600)
}
