package capture

import (
	"net/url"
	"strings"
)

// leastArgument is how long an argument is that is taken out of an error: what is
// shorter, such as -c, can be a part of any word.
const leastArgument = 4

// argumentless is an error of the request for a command without the arguments, which may
// hold a password: the address has them, and who runs the command may quote it.
type argumentless struct {
	err       error
	arguments []string
}

// withoutArguments is such an error.
func withoutArguments(err error, command []string) error {
	return &argumentless{err, command[min(1, len(command)):]}
}

func (a *argumentless) Error() string {
	text := a.err.Error()
	for _, argument := range a.arguments {
		if len(argument) < leastArgument {
			continue
		}
		for _, form := range []string{argument, url.QueryEscape(argument)} {
			text = strings.ReplaceAll(text, form, "…")
		}
	}
	return text
}

func (a *argumentless) Unwrap() error { return a.err }
