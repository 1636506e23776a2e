// Package retries repeats requests to API servers that have failed for a moment. It is
// for all of the project's code: client-go's retry.OnError takes an error that wraps a
// deadline or a cancellation for the end of its own waiting, and returns nil for a
// request that has timed out. It imports nothing of the project.
package retries

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
)

// OnConflict calls do again while it fails with a conflict, a few times, and returns
// its last error.
func OnConflict(do func() error) error {
	return onError(retry.DefaultRetry, apierrors.IsConflict, do)
}

// OnError calls do again while it fails in a way that is retriable, ever more slowly,
// and returns its last error.
func OnError(retriable func(error) bool, do func() error) error {
	return onError(retry.DefaultBackoff, retriable, do)
}

func onError(backoff wait.Backoff, retriable func(error) bool, do func() error) error {
	var last error
	_ = retry.OnError(backoff, retriable, func() error { // it says less than last
		last = do()
		return last
	})
	return last
}
