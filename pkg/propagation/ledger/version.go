package ledger

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fedctl/fedctl/pkg/federate"
)

// version is what the status keeps of an entry, so that another process goes on from it:
//
//	<hash of what was applied>.<hash of the fields that are ours>[.<membership>[.<when it was found>[.<its fate>[.<its UID, where it is stripped>]]]]
type version struct {
	applied    string
	owned      uint64
	membership string
	kept       time.Time
	fate       fate
	stripped   types.UID
}

// neverSent is the version of a cluster whose objects cannot be read, and to which
// nothing was ever sent: a deletion does not wait for it, also in another process.
const neverSent = "none"

// version is what the status keeps of the entry. An entry that says nothing of its
// membership stays as it is until there is something else to write: no restart is to
// write the status of every object.
func (e *entry) version() string {
	switch {
	case e.untouched && !e.pending && e.status == federate.CachedRetrievalFailed:
		return neverSent
	case !e.kept.IsZero():
		return fmt.Sprintf("%s.%016x.%s.%x", e.applied, e.owned, e.membership, e.kept.Unix())
	case e.applied == "":
		return ""
	case e.stripped != "" && e.stripped != federate.UnknownUID:
		return fmt.Sprintf("%s.%016x.%s...%s", e.applied, e.owned, e.membership, e.stripped)
	case e.fate != fateUnknown:
		return fmt.Sprintf("%s.%016x.%s..%c", e.applied, e.owned, e.membership, e.fate)
	case e.unmarked || e.membership == "":
		return fmt.Sprintf("%s.%016x", e.applied, e.owned)
	}
	return fmt.Sprintf("%s.%016x.%s", e.applied, e.owned, e.membership)
}

// parseVersion reads what version wrote; the zero value if it is not one of ours.
func parseVersion(text string) (v version) {
	parts := strings.Split(text, ".")
	if len(parts) < 2 || len(parts) > 6 {
		return version{}
	}
	owned, err := strconv.ParseUint(parts[1], 16, 64)
	if err != nil {
		return version{}
	}
	v = version{applied: parts[0], owned: owned}
	if len(parts) > 2 {
		v.membership = parts[2]
	}
	if len(parts) > 5 {
		v.stripped = types.UID(parts[5])
	}
	if len(parts) > 4 && (parts[4] != "" || v.stripped == "") {
		if v.fate = parseFate(parts[4]); v.fate == fateUnknown {
			return version{}
		}
	}
	if len(parts) > 3 && parts[3] != "" {
		seconds, err := strconv.ParseInt(parts[3], 16, 64)
		if err != nil {
			return version{}
		}
		v.kept = time.Unix(seconds, 0)
	}
	return v
}

// MembershipOf tells one membership from another, in a few characters, by the UID of its
// KubeFedCluster.
func MembershipOf(uid types.UID) string { return string(uid)[:min(len(uid), 8)] }

// Moved is a version as the status has it on another host, to which the same cluster has
// moved: what was done there in the earlier membership counts as done in the new one. It is
// empty where the version tells of nothing that was done.
func Moved(text, membership string) string {
	v := parseVersion(text)
	if v.applied == "" || !v.kept.IsZero() || v.fate == fateElsewhere {
		return ""
	}
	e := entry{applied: v.applied, owned: v.owned, membership: membership, fate: v.fate, stripped: v.stripped}
	return e.version()
}

// FoundAt is when an object was found in a cluster that nobody has selected, by what the
// status keeps; zero if that does not tell.
func FoundAt(text string) time.Time { return parseVersion(text).kept }
