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
		leave, err := p.take(user, 1)
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
	if err := p.suffice(2); err != nil {
		t.Error(err)
	}
	err := p.suffice(3)
	if _, again := apierrors.SuggestsClientDelay(err); !apierrors.IsBadRequest(err) || again || !strings.Contains(err.Error(), "more than 2 open (--fleet-api-max-requests-per-user)") {
		t.Errorf("got %v", err)
	}
	if _, err := p.take("dora", 2); !apierrors.IsTooManyRequests(err) || p.by["dora"] != 0 {
		t.Errorf("a part is taken: %v, %v", err, p.by)
	}
	if _, there := p.by["bob"]; there || p.taken != 2 {
		t.Errorf("what is left: %d, %v", p.taken, p.by)
	}
}
