package content

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// Action is what is done with a saved object.
type Action string

// The actions.
const (
	// Create makes an object that does not exist.
	Create Action = "Create"
	// Update makes an object that exists what it was.
	Update Action = "Update"
	// Leave does nothing with an object, which is there or must not be restored.
	Leave Action = "Leave"
	// Refuse is for an object that cannot be restored as the Restore wants it.
	Refuse Action = "Refuse"
	// Conflict is for an object that exists where the Restore says that none may.
	Conflict Action = "Conflict"
	// Wait is for an object whose predecessor is being deleted.
	Wait Action = "Wait"
)

// The choices for objects that exist.
const (
	ExistingSkip   = "Skip"
	ExistingUpdate = "Update"
	ExistingFail   = "Fail"
)

// Situation is all that a step is decided by.
type Situation struct {
	// Resource as it was saved, and the APIVersion in which the cluster serves it.
	Resource   Resource
	APIVersion string
	// Saved is the object as the repository has it.
	Saved map[string]any
	// Live is the object that has its name in the cluster; nil if there is none.
	Live map[string]any
	// Options say where it goes, and Transforms how it is changed.
	Options    Options
	Transforms Transforms
	// Existing is the choice for objects that exist: Skip by default.
	Existing string
	// Fresh says that this restore has made the namespace of the object: what a new
	// namespace gets by itself counts as part of it.
	Fresh bool
}

// Step is what is to be done with an object, and why.
type Step struct {
	Action Action
	// Object is what is sent, for Create and Update.
	Object map[string]any
	// Why says why nothing is done. It may be empty with Leave: the object is as it was
	// saved.
	Why string
	// Differences are those of the live object.
	Differences []Difference
	// Notes tell what will not be as it was.
	Notes []string
	// PendingOwners are owners that are not in Object, because they are not known yet.
	PendingOwners []any
	// References were mapped in the object.
	References []Reference
	// Ineffective are the transforms' operations that found nothing to remove.
	Ineffective []Operation
}

// Decide says what is to be done with a saved object. A restore is the sum of these
// steps; its dry run shows them, and its run carries them out.
func Decide(s Situation) Step {
	object := runtime.DeepCopyJSON(s.Saved)
	prepared := Prepare(s.Resource, object, s.Options)
	step := Step{Object: object, Notes: prepared.Notes, PendingOwners: prepared.PendingOwners, References: prepared.References}
	if prepared.Skip != "" {
		step.Action, step.Why = Leave, "not restored: "+prepared.Skip
		return step
	}
	object["apiVersion"], object["kind"] = s.APIVersion, s.Resource.Kind
	var err error
	if step.Ineffective, err = s.Transforms.apply(s.Resource, object); err != nil {
		step.Action, step.Why = Refuse, err.Error()
		return step
	}
	if s.Live == nil {
		step.Action = Create
		return step
	}
	s.existing(&step)
	return step
}

// existing decides about an object that is there.
func (s *Situation) existing(step *Step) {
	if at(s.Live, "metadata", "deletionTimestamp") != nil {
		step.Action, step.Why = Wait, "the object of this name is being deleted"+heldBy(s.Live)
		return
	}
	step.Object = Overwrite(s.Resource, step.Object, s.Live)
	step.Differences = Compare(s.Resource, withOwners(step.Object, step.PendingOwners), s.Live, false)
	s.Judge(step)
}

// Judge decides about an object that is there by its differences. Whoever knows these
// better than Compare, because the server was asked, calls it again.
func (s *Situation) Judge(step *Step) {
	why := s.protected(step)
	switch {
	case s.Existing == ExistingFail && s.inTheWay(step):
		step.Action, step.Why = Conflict, Summary(step.Differences)
	case why != "":
		step.Action, step.Why = Leave, why
	case len(step.Differences) == 0:
		step.Action, step.Why = Leave, ""
	case s.Existing == ExistingUpdate || s.Fresh:
		step.Action, step.Why = Update, ""
	default:
		step.Action, step.Why = Leave, "exists and is left as it is, though "+Summary(step.Differences)+"; set existing to Update to restore it"
	}
	if step.Action == Leave {
		step.Notes = nil // they are about what is not done
	}
}

// inTheWay says whether Fail refuses an object that is there. The namespaces that
// objects go to may be, with the account that each has, and objects in no namespace if
// they are as they were saved: a definition that both clusters have stands in no way.
func (s *Situation) inTheWay(step *Step) bool {
	switch {
	case s.Fresh, s.Resource.Name() == namespaces, s.Resource.Name() == serviceAccounts && name(s.Saved) == "default":
		return false
	}
	return s.Resource.Namespaced || len(step.Differences) > 0
}

// withOwners is an object with all owners that it had.
func withOwners(object map[string]any, pending []any) map[string]any {
	metadata := mapping(object, "metadata")
	if len(pending) == 0 || metadata == nil {
		return object
	}
	owners, _ := metadata["ownerReferences"].([]any)
	all := append([]any{}, owners...)
	for _, owner := range pending {
		if m, ok := owner.(map[string]any); ok && !hasOwner(owners, m) {
			all = append(all, m)
		}
	}
	out := map[string]any{}
	for key, value := range object {
		out[key] = value
	}
	changed := map[string]any{}
	for key, value := range metadata {
		changed[key] = value
	}
	changed["ownerReferences"] = all
	out["metadata"] = changed
	return out
}

func heldBy(live map[string]any) string {
	finalizers, _ := at(live, "metadata", "finalizers").([]any)
	if len(finalizers) == 0 {
		return ""
	}
	return fmt.Sprintf(" and held by its finalizers %v", finalizers)
}

// Summary names the first differences.
func Summary(differences []Difference) string {
	const most = 3
	var parts []string
	for _, difference := range differences[:min(most, len(differences))] {
		parts = append(parts, difference.String())
	}
	text := strings.Join(parts, ", ")
	if len(differences) > most {
		text += fmt.Sprintf(" and %d more", len(differences)-most)
	}
	return text
}

// Answered decides again, by what the server would make of the object: what it sets by
// default is no difference.
func (s *Situation) Answered(step *Step, answer map[string]any) {
	step.Differences = Compare(s.Resource, withOwners(answer, step.PendingOwners), s.Live, false)
	s.Judge(step)
}
