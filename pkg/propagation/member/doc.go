// Package member makes one member cluster hold, or not hold, one object: what it takes
// to write to an API server that others write to as well. An Applier is given what is
// wanted and what is known, makes the requests, and says what has become of it in one
// type for each outcome. It knows nothing of federated objects, queues, back-off or
// statuses, so that it serves the engine in the host, which translates its outcomes, as
// well as a program in the member.
//
//	apply.go     Apply: the order of things; nothing is forced on an object whose owner keeps it out
//	unknown.go   ... without what the member's schema does not know
//	replace.go   ... what plain apply cannot do: lists whose keys have changed, what is always refused
//	kept.go      ... what the API server keeps, or takes away, without a word
//	takeover.go  ... fields that KubeFed's controller wrote, or we by an update
//	leaving.go   ... fields that others have written as well; what leaves the template
//	retain.go    ... replicas that are the member's
//	dryrun.go    the same, with nothing written
//	remove.go    Remove and Release: it is to be gone, or to lose the managed label
//	served.go    in which version the member serves the type; what a 404 is of
//	result.go    the outcomes
//	live.go      what is remembered of an object: Live
//	content.go   what is sent of the desired object
//	fields.go    whose the fields are, as managedFields tell
//	requests.go  the requests
//
// Where what comes next belongs:
//
//   - What a server derives from other fields of the same object: complete.go of
//     pkg/federate, so that it is sent. What depends on the object that is there: the
//     replacement in overlay.go, or a step of its own beside takeOver and retainReplicas.
//   - Whose the fields are that the template does not name: fields.go. It reads
//     managedFields, off metadata that is watched anyway, and LiveOf keeps what is to be
//     remembered of it.
//
// It imports pkg/federate, pkg/retries and the Resource of pkg/typeconfig; of
// pkg/propagation nothing.
package member
