package content

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// advice says, by resource, how a copy gets what it does not take from the original.
var advice = map[string]string{
	clusterRoleBindings:                      "make a ClusterRoleBinding of another name for the accounts of the copy",
	"rolebindings.rbac.authorization.k8s.io": "make a RoleBinding of another name for the accounts of the copy",
	validatingWebhooks:                       "make a configuration of another name for the copy",
	mutatingWebhooks:                         "make a configuration of another name for the copy",
	volumes:                                  "the claim of the copy needs a volume of its own, with a copy of the data",
	apiServices:                              "a cluster has one server for an API: point it to the copy by hand when the original is to go",
	definitions:                              "a cluster has one definition of a type: point it to the copy by hand when the original is to go",
	storageClasses:                           "make a StorageClass of another name for the copy",
	"networkpolicies.networking.k8s.io":      "add the copy to the policy, or make one for it",
	"referencegrants.gateway.networking.k8s.io": "add the copy to spec.from",
}

const otherAdvice = "make one of another name for the copy, or add the copy to it"

// protected says why a live object must not be updated: backups rest on it, or it serves
// a namespace that stays, beside which a copy is made.
func (s *Situation) protected(step *Step) string {
	if why := s.bearsBackups(step); why != "" {
		return why
	}
	return s.servesOriginal(step)
}

// bearsBackups says why a live object must not be what it was: with a password of then,
// nobody could read what has been saved since, nor write to it.
func (s *Situation) bearsBackups(step *Step) string {
	repository := s.Options.Keys[[2]string{namespace(s.Live), name(s.Live)}]
	switch {
	case len(step.Differences) == 0:
		return ""
	case s.Resource.Name() == secrets && repository != "":
		return fmt.Sprintf("BackupRepository %s reads it, and it is left as it is, though %s: what it held then may not open what is saved now", repository, Summary(step.Differences))
	case s.Resource.Name() == repositories && slices.ContainsFunc(step.Differences, func(d Difference) bool { return strings.HasPrefix(d.Path, "/spec") }):
		return fmt.Sprintf("is what backups are kept in, and is left as it is, though %s: change it by hand if they are to be kept elsewhere", Summary(step.Differences))
	}
	return ""
}

func (s *Situation) servesOriginal(step *Step) string {
	elsewhere := false // the object itself goes into another namespace
	if s.Resource.Namespaced {
		elsewhere = s.Options.to(namespace(s.Saved)) != namespace(s.Saved)
	}
	if s.Resource.Name() == namespaces || elsewhere || len(s.Options.NamespaceMapping) == 0 {
		return ""
	}
	named := s.named()
	switch {
	case len(step.References) > 0 && len(named) > 0:
		reference := step.References[0]
		text := advice[s.Resource.Name()]
		if text == "" {
			text = otherAdvice
		}
		return fmt.Sprintf("serves namespace %s and is left as it is; what the copy lacks is %s with %s in place of %s: %s",
			strings.Join(named, ", "), fields(step.References), reference.To, reference.From, text)
	case len(step.Differences) == 0 || s.Resource.Namespaced:
		return ""
	}
	served := slices.Sorted(maps.Keys(s.Options.Originals))
	served = slices.DeleteFunc(served, func(original string) bool { return !s.Options.Originals[original] })
	if len(served) == 0 {
		return ""
	}
	return fmt.Sprintf("serves namespace %s, too, and is left as it is, though %s; restore it without a namespaceMapping if that is what you want",
		strings.Join(served, ", "), Summary(step.Differences))
}

func fields(references []Reference) string {
	const most = 3
	var paths []string
	for _, reference := range references[:min(most, len(references))] {
		paths = append(paths, reference.Path)
	}
	text := strings.Join(paths, ", ")
	if len(references) > most {
		text += fmt.Sprintf(" and %d more", len(references)-most)
	}
	return text
}

// named are the namespaces of the mapping that the live object names as they were saved.
func (s *Situation) named() []string {
	found := map[string]bool{}
	for _, reference := range s.Options.mapNamespaces(s.Resource, runtime.DeepCopyJSON(s.Live)) {
		found[reference.From] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// EachSecretOf calls use for the Secrets that the spec of a BackupRepository names.
func EachSecretOf(spec map[string]any, use func(name string)) {
	for _, path := range [][]string{{"encryptionSecretRef"}, {"s3", "credentialsSecretRef"}, {"gcs", "credentialsSecretRef"}, {"azure", "credentialsSecretRef"}} {
		if name, _ := at(spec, append(path, "name")...).(string); name != "" {
			use(name)
		}
	}
}
