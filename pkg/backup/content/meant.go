package content

import (
	"slices"
	"strings"
)

// MeantResource is the name of the resource that was probably meant by one that
// matches nothing: one that lacks its group, a kind, the singular, or a name that is
// nearly right. Empty if none comes near.
func MeantResource(name string, known []Resource) string {
	if other := OtherName(name, known); other != "" {
		return other
	}
	name = strings.ToLower(strings.TrimSpace(name))
	return Meant(name, namesLike(name, known))
}

// namesLike are the names of resources; for that of all resources of a group, those of all
// groups.
func namesLike(name string, known []Resource) []string {
	var names []string
	for _, resource := range known {
		switch {
		case !strings.HasPrefix(name, anyOf):
			names = append(names, resource.Name())
		case resource.Group != "":
			names = append(names, anyOf+resource.Group)
		}
	}
	return names
}

// anyOf begins the name of all resources of a group.
const anyOf = "*."

// typo is how many letters are taken for a slip where another cluster could have what is
// so called.
const typo = 2

// Misspelt is what was meant by a name that matches nothing and that is wrong in every
// cluster, not only in this one; empty if that cannot be told. A group without a dot is
// Kubernetes' own, so that one that is not known is none; a group with one may be another
// cluster's, unless all but a letter or two is as it is here.
func Misspelt(name string, known []Resource) string {
	name = strings.ToLower(strings.TrimSpace(name))
	meant := MeantResource(name, known)
	plural, group, _ := strings.Cut(name, ".")
	here, of, _ := strings.Cut(meant, ".")
	switch {
	case meant == "":
		return ""
	case !strings.Contains(group, "."), plural == here && distance(group, of, typo+1) <= typo:
		return meant
	}
	return ""
}

// OtherName is the name of the resource that another name of it stands for: one that
// lacks its group, a kind, the singular or a short name. Empty if there is none.
func OtherName(name string, known []Resource) string {
	plural, group, _ := strings.Cut(strings.ToLower(strings.TrimSpace(name)), ".")
	for _, resource := range known {
		names := []string{resource.Plural, strings.ToLower(resource.Kind), strings.TrimSuffix(resource.Plural, "s"), strings.TrimSuffix(resource.Plural, "es")}
		short := shortNames[plural]
		if (group == "" || group == resource.Group) && (slices.Contains(names, plural) || short != "" && short == resource.Plural) {
			return resource.Name()
		}
	}
	return ""
}

// DidYouMean asks for a name at the end of a message; for none, it is empty.
func DidYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// shortNames are those that kubectl knows, and a Restore does not.
var shortNames = map[string]string{
	"cm": "configmaps", "ep": "endpoints", "limits": "limitranges", "ns": "namespaces", "po": "pods", "pv": "persistentvolumes",
	"pvc": "persistentvolumeclaims", "quota": "resourcequotas", "rc": "replicationcontrollers", "sa": "serviceaccounts", "svc": "services",
	"crd": "customresourcedefinitions", "ds": "daemonsets", "deploy": "deployments", "rs": "replicasets", "sts": "statefulsets",
	"hpa": "horizontalpodautoscalers", "cj": "cronjobs", "ing": "ingresses", "netpol": "networkpolicies", "pdb": "poddisruptionbudgets",
	"pc": "priorityclasses", "sc": "storageclasses",
}

// Meant is the one of the names that was probably meant by one that is none of them;
// empty if none comes near.
func Meant(name string, known []string) string {
	best, least := "", len(name)/3+2
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if d := distance(name, candidate, least); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is how many letters have to be added, removed, changed or swapped with
// their neighbours to make one text of another; limit, if it is no less than that.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	var beforeLast []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], beforeLast[j-2]+1)
			}
		}
		beforeLast, last = last, row
	}
	return min(last[len(b)], limit)
}
