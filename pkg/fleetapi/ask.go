package fleetapi

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/transport"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
	"github.com/fedctl/fedctl/pkg/reach"
)

// refusal is why a member has not answered a request to several.
type refusal struct {
	union.Missing
	status metav1.Status // that the member has answered with; Code 0: none
	anew   bool          // a watch is to begin with a list, since the member does not remember where it was
}

func (r *refusal) Error() string { return r.String() }

var errTimedOut = errors.New("no answer in time")

// reply is what a member answers. It is to be closed. The member's time runs: from the
// request on, and after resume between two reads.
type reply struct {
	io.Reader
	cluster string
	body    io.Closer
	timer   *time.Timer
	timeout time.Duration
	ctx     context.Context //nolint:containedctx // of the one request
	end     func()
}

// Close implements io.Closer.
func (r *reply) Close() {
	r.timer.Stop()
	_ = r.body.Close() // only read
	r.end()
}

// resume has the time run from now on.
func (r *reply) resume() { r.timer.Reset(r.timeout) }

// pause stops it: the member is not waited for.
func (r *reply) pause() { r.timer.Stop() }

// failed says what has become of a reply that cannot be read.
func (r *reply) failed(err error) *refusal {
	switch {
	case errors.Is(context.Cause(r.ctx), errTimedOut):
		return late(r.cluster, r.timeout)
	case r.ctx.Err() != nil:
		return &refusal{Missing: union.Missing{Cluster: r.cluster, Reason: union.Failed, Message: "the connection has ended"}}
	}
	var network interface{ Timeout() bool }
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &network) {
		return &refusal{Missing: union.Missing{Cluster: r.cluster, Reason: union.Failed, Message: "its answer breaks off"}}
	}
	return &refusal{Missing: union.Missing{Cluster: r.cluster, Reason: union.Invalid, Message: err.Error()}}
}

func late(cluster string, timeout time.Duration) *refusal {
	return &refusal{Missing: union.Missing{Cluster: cluster, Reason: union.TimedOut, Message: fmt.Sprintf("it has not answered within %s", timeout)}}
}

// ask sends the request to one member, as its user.
func (e *everywhere) ask(ctx context.Context, cluster, path, accept string, query url.Values) (*reply, *refusal) {
	c, err := e.members.to(ctx, cluster)
	if err != nil {
		return nil, notAsked(cluster, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.ended, func() { cancel(nil) })
	r := &reply{cluster: cluster, timeout: e.Timeout, ctx: ctx, end: func() { stop(); cancel(nil) }}
	r.timer = time.AfterFunc(e.Timeout, func() { cancel(errTimedOut) })
	request := (&http.Request{Method: http.MethodGet, URL: memberURL(c.endpoint, path, query.Encode()), Header: e.header.Clone()}).WithContext(ctx)
	request.Header.Set("Accept", accept)
	request.Header.Set("Accept-Encoding", "gzip")
	if query.Get("watch") != "" {
		request.Header.Del("Accept-Encoding") // it would be held back to be packed
	}
	response, err := transport.NewImpersonatingRoundTripper(e.who, c.plain).RoundTrip(request) //nolint:bodyclose // Close of the reply does
	if err != nil {
		r.timer.Stop()
		r.end()
		if errors.Is(context.Cause(ctx), errTimedOut) {
			return nil, late(cluster, e.Timeout)
		}
		return nil, &refusal{Missing: union.Missing{Cluster: cluster, Reason: union.Failed, Message: reach.Describe(err, c.endpoint.String(), e.Timeout)}}
	}
	r.Reader, r.body = response.Body, response.Body
	if response.StatusCode != http.StatusOK {
		defer r.Close()
		return nil, c.refused(response.Request, response) // which has the token that may be quoted
	}
	if response.Header.Get("Content-Encoding") == "gzip" {
		if r.Reader, err = gzip.NewReader(response.Body); err != nil {
			defer r.Close()
			return nil, r.failed(err)
		}
	}
	return r, nil
}

// notAsked says why a member is not asked at all.
func notAsked(cluster string, err error) *refusal {
	reason := union.NotReady
	switch {
	case apierrors.IsNotFound(err):
		return &refusal{Missing: union.Missing{Cluster: cluster, Reason: union.NotFound, Message: "no such cluster has joined"}}
	case !apierrors.IsServiceUnavailable(err):
		reason = union.Failed
	}
	message := strings.TrimPrefix(err.Error(), "cluster "+cluster+" cannot be reached: ")
	return &refusal{Missing: union.Missing{Cluster: cluster, Reason: reason, Message: message}}
}

// refused reads what a member has answered in place of what was asked for.
func (c *connection) refused(request *http.Request, response *http.Response) *refusal {
	r := &refusal{Missing: union.Missing{Cluster: c.cluster, Reason: union.Failed}}
	if redirect := answers.RedirectOf(request, response); redirect != nil {
		r.Message = redirect.Error()
		return r
	}
	if response.Header.Get("Content-Encoding") == "" {
		body, _ := io.ReadAll(answers.WithoutToken(answers.Body(response.Body, answers.MostOfError), request)) // what there is of it
		r.status = union.StatusOf(body)
	}
	r.status.Code = int32(response.StatusCode) //nolint:gosec // three digits
	r.status.Message = errtext.Bounded(r.status.Message, errtext.Cluster)
	r.Message = fmt.Sprintf("it has answered %d %s: %s", response.StatusCode, http.StatusText(response.StatusCode), r.status.Message)
	switch response.StatusCode {
	case http.StatusUnauthorized:
		c.stale.Store(true)
		r.status = metav1.Status{}
		r.Message = "it does not accept the token of the fleet's API server; if that lasts: fedctl join " + c.cluster + " --fleet-access"
	case http.StatusForbidden:
		r.Reason, r.Message = union.Forbidden, r.status.Message
	case http.StatusNotFound:
		r.Reason, r.Message = union.NotServed, "it does not serve what was asked for"
	}
	return r
}

// together is the error where no cluster has answered: what they say if they all say the
// same, else that they cannot be had.
func together(refusals []*refusal) error {
	if len(refusals) == 0 {
		return nil
	}
	status := refusals[0].status
	missing := make([]union.Missing, len(refusals))
	for i, r := range refusals {
		missing[i] = r.Missing
		if r.status.Code != status.Code {
			status.Code = 0
		}
	}
	why := "no cluster has answered: " + strings.Join(union.Warnings(missing), "; ")
	if status.Code < http.StatusBadRequest || status.Code >= http.StatusInternalServerError {
		return unavailableTogether(why)
	}
	status.Details = nil // when to ask again is not for a member to say
	status.Status, status.Message = metav1.StatusFailure, errtext.Bounded(why, 4*errtext.Cluster)
	return &apierrors.StatusError{ErrStatus: status}
}
