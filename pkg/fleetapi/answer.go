package fleetapi

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/pkg/answers"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// answer makes what a member has answered fit to be passed on. An error ends it.
//
// No redirect is passed on: client-go sends its credentials wherever one leads. A 401 is
// not either: it is about the credential of this server, and would have the client throw
// away its own. What is wrong may be said by a gateway in front of the member that quotes
// the whole request, so the token is taken out of it.
func (p *passage) answer(r *http.Request, response *http.Response) error {
	request := response.Request
	if redirect := answers.RedirectOf(request, response); redirect != nil {
		return badGateway(p.cluster, redirect.Error())
	}
	response.Header = forClient(response.Header)
	response.Trailer = nil
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized:
		p.stale.Store(true)
		return unavailable(p.cluster, "it does not accept the token of the fleet's API server; if that lasts: fedctl join "+p.cluster+" --fleet-access")
	case code == http.StatusSwitchingProtocols:
		return nil
	case code >= http.StatusMultipleChoices && code != http.StatusNotModified:
		if response.Header.Get("Content-Encoding") != "" {
			return badGateway(p.cluster, "it has answered with an error ("+http.StatusText(code)+") that is encoded: it is not passed on")
		}
		response.Body = answers.WithoutToken(answers.Body(response.Body, answers.MostOfError), request)
		response.Header.Del("Content-Length")
		response.ContentLength = -1
		return nil
	}
	response.Body = p.streams.body(r, response.Body)
	return nil
}

// badGateway is answered in place of what a member has answered.
func badGateway(cluster, why string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusBadGateway, Reason: metav1.StatusReasonUnknown,
		Message: errtext.Bounded("cluster "+cluster+": "+why, errtext.Cluster),
	}}
}
