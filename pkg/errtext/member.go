package errtext

import (
	"errors"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// InMember is Stable for what a member cluster has answered, with what to do where that is
// known: what gives the controller the rights there, or how an object comes to hold what
// cannot be changed in it.
func InMember(err error, cluster string) string { return Stable(err) + advice(err, cluster) }

func advice(err error, cluster string) string {
	switch {
	case LacksRight(err):
		return RenewRights(cluster)
	case !IsImmutable(err.Error()):
		return ""
	case holdsData(err):
		return "; it cannot be changed in an object that exists, and deleting the object in cluster " + cluster + " may delete what it holds"
	}
	return "; it cannot be changed in an object that exists: delete the object in cluster " + cluster + ", and it is created anew"
}

// holdsData says whether an error is about an object whose deletion deletes more than can be
// created anew.
func holdsData(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	switch status.Status().Details.Kind {
	case "PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition":
		return true
	}
	return false
}

// IsImmutable says whether an API server refuses to change a field, and not its value: it
// would take the same in an object that is created.
func IsImmutable(text string) bool {
	return slices.ContainsFunc(immutable, func(words string) bool { return strings.Contains(text, words) })
}

// immutable are words of API servers: of apimachinery's validation ("field is immutable"), of
// StatefulSets and PersistentVolumeClaims ("updates to … for fields other than", "is immutable
// after creation"), of Services ("may not change once set"), of Pods ("pod updates may not
// change fields other than") and of RBAC ("cannot change roleRef").
var immutable = []string{
	"immutable", "Forbidden: updates to", "may not change fields", "may not change once set", "may not be changed", "cannot be changed", "cannot change roleRef",
}
