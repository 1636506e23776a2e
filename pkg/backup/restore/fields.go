package restore

import (
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/backup/content"
)

// Of fields that it does not know, a server either refuses the object or drops them
// without a word.
const (
	refuseUnknown = client.FieldValidation("Strict")
	dropUnknown   = client.FieldValidation("Ignore")
)

// lenient says whether an object is better restored without the fields that the server
// does not know than not at all. Of Kubernetes' own, those are what a newer one has added,
// and a status is written again. Of the rest of a custom resource, and of what was saved
// in another version, nobody knows what is left without them.
func lenient(saved content.Resource, version string, unknown []string) bool {
	if content.BuiltIn(saved) && saved.Version == version {
		return true
	}
	return !slices.ContainsFunc(unknown, func(name string) bool { return name != "status" && !strings.HasPrefix(name, "status.") })
}

// knownFields makes a request so that no field is lost in silence. It returns those that
// were left out.
func knownFields(saved content.Resource, version string, request func(client.FieldValidation) error) (leftOut []string, err error) {
	err = request(refuseUnknown)
	if !apierrors.IsBadRequest(err) {
		return nil, err
	}
	unknown := unknownFields(err.Error())
	if len(unknown) == 0 || !lenient(saved, version, unknown) {
		return nil, err
	}
	if again := request(dropUnknown); again != nil {
		return nil, again
	}
	return unknown, nil
}

// withoutFields says what an object has lost.
func withoutFields(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{"restored without the fields that this cluster does not know: " + strings.Join(names, ", ")}
}

// otherVersion says once for a resource that its objects were restored as another version
// than they were saved in.
func (r *run) otherVersion(resource content.Resource) {
	r.plan.mu.Lock()
	served, known := r.plan.served[resource.Name()]
	r.plan.mu.Unlock()
	written := false
	for _, counts := range r.snapshot().Resources {
		written = written || counts.Resource == resource.Name() && counts.Created+counts.Updated > 0
	}
	if !written || !known || served.problem != "" || served.Version == resource.Version {
		return
	}
	r.warn(resource.Name(), "", "", fmt.Sprintf("saved as %s, which this cluster does not serve, and restored as %s with the same fields: see whether they mean the same there, or restore by spec.transforms",
		resource.Version, served.Version))
}
