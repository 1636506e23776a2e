// Package member makes one member cluster hold, or not hold, one object: what it takes
// to write to an API server that others write to as well. An Applier is given what is
// wanted and what is known, makes the requests, and says what has become of it in one
// type for each outcome. It knows nothing of federated objects, queues, back-off or
// statuses, so that it serves the engine in the host, which translates its outcomes, as
// well as a program in the member.
//
//	apply.go     Apply: the order of things; nothing is forced on an object whose owner keeps it out
//	replace.go   ... what plain apply cannot do: lists whose keys have changed, what is always refused
//	takeover.go  ... fields that KubeFed's controller wrote, or we by an update
//	retain.go    ... replicas that are the member's
//	remove.go    Remove and Release: it is to be gone, or to lose the managed label
//	result.go    the outcomes
//	live.go      what is remembered of an object: Live
//	content.go   what is sent of the desired object
//	fields.go    whose the fields are, as managedFields tell
//	requests.go  the requests
//
// Where what comes next belongs:
//
//   - What a member's schema does not know: content.go. Every request that writes the
//     desired object takes it from there, so what is left out there is left out everywhere.
//   - Fields that servers mirror, derive or unite, so that an update ends where a creation
//     would: a step of its own beside takeOver and retainReplicas in Apply. They bring an
//     object that is there to where applying to it does the right thing.
//   - Whose the fields are that the template does not name: fields.go. It reads
//     managedFields, off metadata that is watched anyway, and LiveOf keeps what is to be
//     remembered of it.
//
// It imports pkg/federate, pkg/retries and the Resource of pkg/typeconfig; of
// pkg/propagation nothing.
package member
