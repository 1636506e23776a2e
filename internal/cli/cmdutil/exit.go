package cmdutil

import "fmt"

// ExitError ends the program with Code after the command has already said why.
// Code 1 is any failure; commands that answer a question with no use 2.
type ExitError struct{ Code int }

// Error implements error.
func (e ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }
