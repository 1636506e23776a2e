// Package eventnote is the one way to send events. The API server refuses an event
// whose note is longer than 1024 bytes, and client-go then drops it, so that the
// worst news, which names a hundred clusters, would be what nobody hears. A Recorder
// makes every note fit.
//
// It imports pkg/errtext only. Nobody else may ask a manager for its recorder:
// the linter (depguard) keeps client-go's recorders out of other packages, and a test
// of this one looks for calls of GetEventRecorder.
package eventnote
