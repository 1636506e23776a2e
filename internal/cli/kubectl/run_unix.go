//go:build unix

package kubectl

import (
	"os"
	"syscall"

	"github.com/fedctl/fedctl/internal/localcluster"
)

// run has kubectl take this process's place: its signals, terminal and exit code are the user's.
func run(program string, args []string) error { return syscall.Exec(program, args, os.Environ()) }

// ofLocalClusters is the program that local clusters run.
func ofLocalClusters() (string, error) { return localcluster.FindBinary("") }
