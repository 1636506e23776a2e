package settings

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// A Group is the settings of one subsystem.
type Group interface {
	// AddFlags adds a flag for each setting, which is bound to it: adding the flags
	// sets the defaults.
	AddFlags(flags *pflag.FlagSet)
	// Validate names what is wrong with the settings.
	Validate() error
}

// Defaults returns settings as they are when nobody says otherwise, for tests and
// for programs without flags.
func Defaults[T any, G interface {
	*T
	Group
}]() T {
	var group T
	G(&group).AddFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
	return group
}

// problems collects what is wrong with settings.
type problems []error

func (p *problems) unless(ok bool, format string, args ...any) {
	if !ok {
		*p = append(*p, fmt.Errorf(format, args...))
	}
}

func (p *problems) oneOf(name, value string, allowed ...string) {
	p.unless(slices.Contains(allowed, value), "%s is %q: it must be %s", name, value, strings.Join(allowed, " or "))
}

func (p *problems) join() error { return errors.Join(*p...) }

// moreThanZero is for numbers and durations.
func moreThanZero[T cmp.Ordered](p *problems, name string, value T) {
	var zero T
	p.unless(value > zero, "%s is %v: it must be more than 0", name, value)
}

func notNegative[T cmp.Ordered](p *problems, name string, value T) {
	var zero T
	p.unless(value >= zero, "%s is %v: it must not be negative", name, value)
}
