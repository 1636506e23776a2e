package member

import "github.com/fedctl/fedctl/pkg/errtext"

// secret says whether an object is a Secret, whose values nobody is to read in a status,
// an event or a log.
func (r *Ref) secret() bool {
	return r.Resource.GVR.Group == "" && r.Resource.GVR.Resource == "secrets"
}

// discreet is an outcome whose words quote no value where the object is a Secret.
func discreet[R Result](ref Ref, outcome R) R {
	if !ref.secret() {
		return outcome
	}
	said := Result(outcome)
	switch r := said.(type) {
	case Invalid:
		said = Invalid{errtext.OfSecret(r.Cause)}
	case Unread:
		said = Unread{errtext.OfSecret(r.Cause)}
	case Failed:
		said = Failed{errtext.OfSecret(r.Cause)}
	case Updated:
		r.Refusal = "spec.template: " + refusalIn(r.Refusal) + ": it is updated instead of applied"
		said = r
	}
	same, _ := said.(R) // its type is the same
	return same
}
