package fleetapi

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func TestPlaces(t *testing.T) {
	p := newPlaces(3, 2)
	take := func(user, refused string) func() {
		t.Helper()
		leave, err := p.take(user)
		if refused == "" && err != nil || refused != "" && (!apierrors.IsTooManyRequests(err) || !strings.Contains(err.Error(), refused)) {
			t.Fatalf("%s: %v", user, err)
		}
		if seconds, _ := apierrors.SuggestsClientDelay(err); err != nil && seconds != placeRetryAfter {
			t.Errorf("%s is to ask again after %d s", user, seconds)
		}
		return leave
	}
	leave := take("ann", "")
	take("ann", "")
	take("ann", `"ann" has 2 requests`)
	last := take("bob", "")
	take("bob", "3 requests to members are open")
	leave()
	leave() // twice is once
	take("carl", "")
	take("bob", "3 requests to members are open")
	last()
	if _, there := p.by["bob"]; there || p.taken != 2 {
		t.Errorf("what is left: %d, %v", p.taken, p.by)
	}
}
