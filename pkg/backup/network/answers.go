package network

import (
	"net/http"
)

// MaxMemberAnswer is more than any API server has to say at once: objects have 1.5 MiB
// at most, and lists are asked for in pages.
const MaxMemberAnswer = 256 << 20

// Answers limits what an API server that is not ours can make us read, but for watches,
// which have no end, and connections that are upgraded. It is for rest.Config.Wrap.
func Answers(to http.RoundTripper) http.RoundTripper { return &answers{to} }

type answers struct{ to http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := a.to.RoundTrip(r)
	watch := r.URL.Query().Get("watch")
	if err != nil || response.StatusCode == http.StatusSwitchingProtocols || r.Header.Get("Upgrade") != "" || watch == "true" || watch == "1" {
		return response, err
	}
	most := limitOf(r.Context(), MaxMemberAnswer)
	if response.StatusCode >= http.StatusMultipleChoices {
		most = min(most, maxAnswerBytes)
	}
	response.Body = &limitedBody{ReadCloser: response.Body, left: most}
	return response, nil
}

// WrappedRoundTripper is what client-go looks for.
func (a *answers) WrappedRoundTripper() http.RoundTripper { return a.to }
