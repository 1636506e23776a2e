package errtext

import (
	"regexp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// mayNot is how an API server says that a user lacks a right. What admission, a quota or
// a policy refuses has the same code, and no right helps there.
var mayNot = regexp.MustCompile(`User ".*" cannot [a-z*]+ (resource|path) `)

// LacksRight says whether a request has failed because we lack a right.
func LacksRight(err error) bool {
	return err != nil && apierrors.IsForbidden(err) && mayNot.MatchString(err.Error())
}

// RenewRights names the command that gives the controller its rights in a member.
func RenewRights(cluster string) string { return ": fedctl join " + cluster + " renews its rights" }
