package federate

import (
	"maps"
	"slices"
	"strings"
)

// Fields that the schemas of members do not know are left out of what they get, and those
// that are a member's administrator's. What the
// status says of them is all that is remembered of them when the controller starts anew.

const (
	unknownEverywhere = "fields that the type does not have in any cluster are left out: "
	unknownIn         = "fields that the type does not have in "
	unknownLeftOut    = " are left out: "
	leftTo            = "left as the administrator of "
	leftHas           = " has set it: "
	mostUnknown       = 20
	longestField      = 100
)

// LeftToMember begins the name of a field that was left out for another reason: somebody
// in the member has set it, and is in the right.
const LeftToMember = "="

// DescribeUnknown says which fields were left out in which clusters: those that all have
// left out first, then those of a cluster alone, then what clusters have set themselves.
// Each is one problem of the spec.
func DescribeUnknown(leftOut map[string][]string) []string {
	unknown, theirs := make(map[string][]string, len(leftOut)), map[string][]string{}
	for cluster, fields := range leftOut {
		unknown[cluster] = nil
		for _, field := range fields {
			if name, left := strings.CutPrefix(field, LeftToMember); left {
				theirs[cluster] = append(theirs[cluster], name)
			} else {
				unknown[cluster] = append(unknown[cluster], field)
			}
		}
	}
	list := describeUndeclared(unknown)
	for _, cluster := range slices.Sorted(maps.Keys(theirs)) {
		list = append(list, leftTo+cluster+leftHas+listFields(theirs[cluster]))
	}
	return list
}

func describeUndeclared(unknown map[string][]string) []string {
	everywhere := map[string]int{}
	for _, fields := range unknown {
		for _, field := range fields {
			everywhere[field]++
		}
	}
	maps.DeleteFunc(everywhere, func(_ string, clusters int) bool { return clusters < len(unknown) })
	var list []string
	if len(everywhere) > 0 {
		list = append(list, unknownEverywhere+listFields(slices.Sorted(maps.Keys(everywhere))))
	}
	for _, cluster := range slices.Sorted(maps.Keys(unknown)) {
		rest := slices.DeleteFunc(slices.Clone(unknown[cluster]), func(field string) bool { return everywhere[field] > 0 })
		if len(rest) > 0 {
			slices.Sort(rest)
			list = append(list, unknownIn+cluster+unknownLeftOut+listFields(rest))
		}
	}
	return list
}

// listFields names fields in a way that ParseUnknown can read.
func listFields(fields []string) string {
	names := make([]string, 0, len(fields))
	for _, field := range fields[:min(len(fields), mostUnknown)] {
		names = append(names, clip(strings.Map(fieldRune, field), longestField))
	}
	if len(fields) > mostUnknown {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// fieldRune replaces what would not be read back, or does not belong into a message.
func fieldRune(r rune) rune {
	if r <= ' ' || r == ',' || r == ';' || r == 0x7f {
		return '?'
	}
	return r
}

// ParseUnknown reads off a message of the Accepted condition, which has what
// DescribeUnknown says among other things, what was left out in a cluster.
func ParseUnknown(message, cluster string) (fields []string) {
	for part := range strings.SplitSeq(message, "; ") {
		for _, prefix := range []string{unknownEverywhere, unknownIn + cluster + unknownLeftOut} {
			if names, ok := strings.CutPrefix(part, prefix); ok {
				fields = append(fields, strings.Split(names, ", ")...)
			}
		}
		if names, ok := strings.CutPrefix(part, leftTo+cluster+leftHas); ok {
			for name := range strings.SplitSeq(names, ", ") {
				fields = append(fields, LeftToMember+name)
			}
		}
	}
	slices.Sort(fields)
	return slices.Compact(fields)
}

// OnlyLeft tells whether all of what DescribeUnknown says is left to members.
func OnlyLeft(said []string) bool {
	return !slices.ContainsFunc(said, func(part string) bool { return !strings.HasPrefix(part, leftTo) })
}

const (
	servedIn = "the version is not served in "
	servedAs = ": what is sent there is of version "
)

// DescribeServedAs says which clusters were given the object in another version of its
// type. Each is one problem of the spec.
func DescribeServedAs(versions map[string]string) []string {
	list := make([]string, 0, len(versions))
	for _, cluster := range slices.Sorted(maps.Keys(versions)) {
		list = append(list, servedIn+cluster+servedAs+clip(strings.Map(fieldRune, versions[cluster]), longestField)+", with the fields as they are")
	}
	return list
}

// ParseServedAs reads off a message of the Accepted condition which version a cluster was
// given; empty if it is the one that was wanted.
func ParseServedAs(message, cluster string) string {
	for part := range strings.SplitSeq(message, "; ") {
		if rest, ok := strings.CutPrefix(part, servedIn+cluster+servedAs); ok {
			version, _, _ := strings.Cut(rest, ",")
			return version
		}
	}
	return ""
}

// WithoutLeftOut is a message of the Accepted condition without what DescribeUnknown and
// DescribeServedAs say.
func WithoutLeftOut(message string) string {
	var rest []string
	for part := range strings.SplitSeq(message, "; ") {
		if !strings.HasPrefix(part, unknownEverywhere) && !strings.HasPrefix(part, unknownIn) && !strings.HasPrefix(part, leftTo) && !strings.HasPrefix(part, servedIn) {
			rest = append(rest, part)
		}
	}
	return strings.Join(rest, "; ")
}
