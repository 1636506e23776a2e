package exec

import (
	"errors"
	"testing"

	utilexec "k8s.io/client-go/util/exec"
)

func TestTheExitCodeIsThatOfTheWorst(t *testing.T) {
	ended := func(code int) error { return utilexec.CodeExitError{Code: code, Err: errors.New("ended")} }
	for _, c := range []struct {
		errs    []error
		missing bool
		want    int
	}{
		{[]error{nil, nil}, false, 0},
		{[]error{nil, nil}, true, 1},
		{[]error{ended(2), nil, ended(7)}, true, 7},
		{[]error{errors.New("no such pod"), nil}, false, 1},
		{[]error{errors.Join(ended(3), errors.New("torn"))}, false, 3},
	} {
		if got := worst(c.errs, c.missing); got != c.want {
			t.Errorf("%v, missing %v: %d, want %d", c.errs, c.missing, got, c.want)
		}
	}
}
