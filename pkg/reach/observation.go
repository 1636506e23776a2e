package reach

// A Verdict is what one probe says of a member.
type Verdict string

// The verdicts.
const (
	Ready     Verdict = "Ready"     // it answered, and is well
	NotReady  Verdict = "NotReady"  // it answered, but not that it is well
	Offline   Verdict = "Offline"   // it did not answer
	Malformed Verdict = "Malformed" // there is no telling where or as whom to ask
)

// Observation is the outcome of one probe.
type Observation struct {
	Verdict Verdict
	// Detail says why, without the parts of an error that differ each time.
	Detail string
	// Refused: it did not accept the credentials.
	Refused bool
	// Unproved: something answered that could not prove to be the member, by a certificate.
	Unproved bool
	// Problem says what is wrong with a member that is nevertheless ready, such
	// as new credentials that do not work.
	Problem string
	// Refusing: the problem is that answers of the member are not taken.
	Refusing bool
	// Ending: the problem is that the token ends, and could not be renewed.
	Ending bool
}
