package members

import (
	"context"
	"io"
	"net/http"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// caller asks one member, by one connection where that is possible.
type caller struct {
	base *url.URL
	// plain is for answers that are bounded, streams for those that last.
	plain, streams *http.Client
	err            error // why there are none
}

// caller is that of a member.
func (j *joint) caller(m Member) *caller {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.callers[m.Name] == nil {
		j.callers[m.Name] = newCaller(m)
	}
	return j.callers[m.Name]
}

func newCaller(m Member) *caller {
	c := &caller{}
	if c.base, _, c.err = rest.DefaultServerUrlFor(m.Config); c.err != nil {
		return c
	}
	if c.plain, c.err = rest.HTTPClientFor(m.Config); c.err != nil {
		return c
	}
	c.streams, c.err = rest.HTTPClientFor(m.Streams)
	return c
}

// ask reads one answer. The error is what the member says.
func (c *caller) ask(ctx context.Context, path, accept string, query url.Values, read func(io.Reader) error) error {
	if c.err != nil {
		return c.err
	}
	body, err := c.open(ctx, c.plain, path, accept, query)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // only read
	return read(body)
}

// stream is an answer that lasts.
func (c *caller) stream(ctx context.Context, path, accept string, query url.Values) (io.ReadCloser, error) {
	if c.err != nil {
		return nil, c.err
	}
	return c.open(ctx, c.streams, path, accept, query)
}

func (c *caller) open(ctx context.Context, by *http.Client, path, accept string, query url.Values) (io.ReadCloser, error) {
	to := c.base.JoinPath(path)
	to.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	response, err := by.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close() //nolint:errcheck // only read
	return nil, refusalOf(response)
}

// refusalOf is what a member says in an answer that is none, bounded.
func refusalOf(response *http.Response) *apierrors.StatusError {
	text, _ := io.ReadAll(io.LimitReader(response.Body, answers.MostOfError)) // what there is of it
	status := union.StatusOf(text)
	status.Code = int32(response.StatusCode) //nolint:gosec // three digits
	status.Message = errtext.Bounded(status.Message, errtext.Cluster)
	return &apierrors.StatusError{ErrStatus: status}
}
