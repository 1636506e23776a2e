package kubectl

import (
	"errors"
	"os"
	"os/exec"
)

// run runs kubectl and ends with its exit code: no process takes another's place here. What
// the console tells this process, such as Ctrl-C, it tells kubectl as well.
func run(program string, args []string) error {
	command := exec.Command(program) // #nosec G204 -- the user's own kubectl
	command.Args = args
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := command.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		os.Exit(ended.ExitCode())
	}
	return err
}

// ofLocalClusters finds nothing: there are no local clusters here.
func ofLocalClusters() (string, error) { return "", errors.ErrUnsupported }
