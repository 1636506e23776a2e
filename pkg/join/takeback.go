package join

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// takeBack removes what these steps have created before they failed with cause, the
// last first, and returns cause with what could not be removed. What was there before
// stays as it has become.
func (s steps) takeBack(ctx context.Context, cause error) error {
	if cause == nil || s.made == nil || len(*s.made) == 0 {
		return cause
	}
	const patience = 15 * time.Second
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // it may have been interrupted
	defer cancel()
	var left []string
	for _, object := range slices.Backward(*s.made) {
		uid := ptr.To(object.GetUID())
		err := s.client.Delete(ctx, object, client.Preconditions{UID: uid})
		switch {
		case err == nil:
			s.say(fmt.Sprintf("took back %s in %s", describeObject(object), s.where))
		case !apierrors.IsNotFound(err):
			left = append(left, describeObject(object))
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("%w\nLeft in %s by this command, which could not be taken back: %s", cause, s.where, strings.Join(left, ", "))
	}
	return cause
}
