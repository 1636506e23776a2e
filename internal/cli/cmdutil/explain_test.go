package cmdutil

import (
	"errors"
	"fmt"
	"net/url"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestExplain(t *testing.T) {
	secrets := schema.GroupResource{Resource: "secrets"}
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("no"), "no"},
		{apierrors.NewNotFound(secrets, "x"), `secrets "x" not found`},
		{
			fmt.Errorf("listing Secrets: %w", apierrors.NewForbidden(secrets, "", errors.New("no right"))),
			"listing Secrets: secrets is forbidden: no right; have that granted, or choose the context of another user",
		},
		{
			mayNot("list", "core.kubefed.io", "kubefedclusters"),
			`User "u" cannot list resource "kubefedclusters"; have that granted, with the ClusterRole fedctl-fleet-view (kubectl create clusterrolebinding NAME --clusterrole=fedctl-fleet-view --user=YOU), or choose the context of another user`,
		},
		{mayNot("create", "core.kubefed.io", "kubefedclusters"), `User "u" cannot create resource "kubefedclusters"; have that granted, or choose the context of another user`},
		{mayNot("list", "policy.fedctl.io", "overridepolicies"), `User "u" cannot list resource "overridepolicies"; have that granted, or choose the context of another user`},
		{
			apierrors.NewUnauthorized("Unauthorized"),
			"Unauthorized; the cluster does not accept the credentials of the context: renew them, or choose another context",
		},
		{
			fmt.Errorf("listing Secrets: %w", &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api?timeout=30s", Err: errors.New("refused")}),
			`listing Secrets: Get "https://10.0.0.1:6443/api?timeout=30s": refused; is the cluster at https://10.0.0.1:6443 up and to be reached from here, and the context the right one?`,
		},
	} {
		if got := Explain(test.err); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func mayNot(verb, group, resource string) error {
	err := apierrors.NewForbidden(schema.GroupResource{Group: group, Resource: resource}, "", nil)
	err.ErrStatus.Message = fmt.Sprintf("User \"u\" cannot %s resource %q", verb, resource)
	return err
}
