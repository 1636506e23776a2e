package cmdutil

import (
	"errors"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Explain is an error as a user reads it: where it is a cluster's answer, or that
// there was none, with what to do about it.
func Explain(err error) string {
	text := err.Error()
	var request *url.Error
	switch {
	case apierrors.IsForbidden(err):
		return text + "; have that granted, or choose the context of another user"
	case apierrors.IsUnauthorized(err):
		return text + "; the cluster does not accept the credentials of the context: renew them, or choose another context"
	case errors.As(err, &request):
		if server, parseErr := url.Parse(request.URL); parseErr == nil && server.Host != "" {
			return text + "; is the cluster at " + server.Scheme + "://" + server.Host + " up and to be reached from here, and the context the right one?"
		}
	}
	return text
}
