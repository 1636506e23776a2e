package cmdutil

import (
	"errors"
	"net/url"
	"regexp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	fedcorev1beta1 "sigs.k8s.io/kubefed/pkg/apis/core/v1beta1"

	clusterv1alpha1 "github.com/fedctl/fedctl/pkg/api/cluster/v1alpha1"
	policyv1alpha1 "github.com/fedctl/fedctl/pkg/api/policy/v1alpha1"
)

// Explain is an error as a user reads it: where it is a cluster's answer, or that
// there was none, with what to do about it.
func Explain(err error) string {
	text := err.Error()
	var request *url.Error
	switch {
	case mayNotReadFleet(err):
		return text + "; have that granted, with the ClusterRole fedctl-fleet-view (kubectl create clusterrolebinding NAME --clusterrole=fedctl-fleet-view --user=YOU), or choose the context of another user"
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

var reading = regexp.MustCompile(`cannot (get|list|watch) resource`)

// mayNotReadFleet says whether what is missing is a right of the role fedctl-fleet-view.
func mayNotReadFleet(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsForbidden(err) || !errors.As(err, &status) || status.Status().Details == nil || !reading.MatchString(status.Status().Message) {
		return false
	}
	switch details := status.Status().Details; details.Group {
	case fedcorev1beta1.SchemeGroupVersion.Group, clusterv1alpha1.GroupVersion.Group:
		return true
	case policyv1alpha1.GroupVersion.Group:
		return details.Kind == "clusteroverridepolicies"
	}
	return false
}
