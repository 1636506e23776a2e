package retries

import (
	"context"
	"errors"
	"net/url"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestOnConflict(t *testing.T) {
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "widgets"}, "w", errors.New("changed"))
	timedOut := &url.Error{Op: "Patch", URL: "https://m", Err: context.DeadlineExceeded}
	for name, test := range map[string]struct {
		errs  []error // of one call after the other
		want  error
		calls int
	}{
		"at once":                    {[]error{nil}, nil, 1},
		"after a conflict":           {[]error{conflict, nil}, nil, 2},
		"never":                      {[]error{conflict}, conflict, 5},
		"another error":              {[]error{errors.ErrUnsupported}, errors.ErrUnsupported, 1},
		"a request that times out":   {[]error{timedOut}, timedOut, 1},
		"one that times out later":   {[]error{conflict, timedOut}, timedOut, 2},
		"a request that is given up": {[]error{context.Canceled}, context.Canceled, 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			err := OnConflict(func() error {
				calls++
				return test.errs[min(calls, len(test.errs))-1]
			})
			if !errors.Is(err, test.want) || calls != test.calls {
				t.Errorf("%v after %d calls, want %v after %d", err, calls, test.want, test.calls)
			}
		})
	}
}
