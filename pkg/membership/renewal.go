package membership

import (
	"context"
	"fmt"
	"time"

	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/reach"
	"github.com/fedctl/fedctl/pkg/tokens"
)

// renewalPause is the least time between two tries to renew a token.
const renewalPause = time.Minute

// A renewal replaces the token of one member before it ends. It belongs to the member's
// goroutine; only the requests are made beside it.
type renewal struct {
	results  chan error
	underWay bool
	after    time.Time // not tried again before
	failure  string    // of the last try
}

func newRenewal() renewal { return renewal{results: make(chan error, 1)} }

func (r *renewal) take(err error, now time.Time) {
	r.underWay, r.after, r.failure = false, now.Add(renewalPause), ""
	if err != nil {
		r.failure = errtext.Bounded(reach.Innermost(err), errtext.Cluster/2)
	}
}

// judge adds to an observation what there is to say of the token.
func (r *renewal) judge(o reach.Observation, token reach.Claims, cluster string, now time.Time) reach.Observation {
	const remedy = "run \"fedctl join %s\" to make a new one"
	ends := token.Expires.UTC().Format(time.RFC3339)
	switch {
	case token.Expires.IsZero():
	case o.Refused && token.Expired(now):
		o.Detail = fmt.Sprintf("the token ended at %s; "+remedy, ends, cluster)
	case o.Verdict == reach.Ready && o.Problem == "" && r.failure != "":
		o.Problem, o.Ending = fmt.Sprintf("the token ends at %s and could not be renewed (%s); unless that mends itself, "+remedy, ends, r.failure, cluster), true
	}
	return o
}

// tokenInUse is what the token of the present connection says of itself, or of the one
// that is being tried.
func (m *member) tokenInUse() reach.Claims {
	switch {
	case m.current != nil:
		return m.current.claims
	case m.candidate != nil:
		return m.candidate.claims
	default:
		return reach.Claims{}
	}
}

// startRenewal asks for the next token when it is time, beside the probes. The new one
// comes back as any other change of the Secret does, and is tried before it is used.
func (m *member) startRenewal(ctx context.Context, object *fedcorev1beta1.KubeFedCluster) {
	now := time.Now()
	if m.renewal.underWay || now.Before(m.renewal.after) {
		return
	}
	secret := m.p.secretOf(ctx, object)
	if !tokens.Due(secret, now) || string(secret.Data[reach.TokenKey]) != m.current.access.Token {
		m.renewal.failure = ""
		return
	}
	m.renewal.underWay = true
	member, results, expires := m.current.cluster.GetClient(), m.renewal.results, m.current.claims.Expires
	go func() {
		ctx, cancel := context.WithTimeout(ctx, m.p.opts.RequestTimeout+hostTimeout)
		defer cancel()
		err := tokens.Renew(ctx, m.p.client, member, secret)
		if err != nil {
			m.log.Error(err, "Could not renew the member's token; will retry", "expires", expires)
		}
		results <- err // holds one, and one at a time is under way
	}()
}
