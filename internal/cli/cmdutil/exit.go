package cmdutil

import "errors"

// ExitInterrupted is the exit code after a signal, that of shells.
const ExitInterrupted = 130

// ExitUnread is the exit code where nobody has read the output to its end, that of shells.
const ExitUnread = 141

// ErrSaid is the error of a command that has said all there is to say: only its exit code is
// left, and nothing is printed.
var ErrSaid = errors.New("said")

// ExitError is an error that ends the program with another exit code than 1.
type ExitError struct {
	Code int
	Err  error
}

func (e ExitError) Error() string { return e.Err.Error() }
func (e ExitError) Unwrap() error { return e.Err }

// ExitCode is the exit code for the error of a command: 0 without one, 1 for most.
func ExitCode(err error) int {
	var exit ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return 1
}
