package eventnote

import "github.com/fedctl/fedctl/pkg/errtext"

// Limit is how many bytes the API server takes for a note.
const Limit = 1024

// Note is text as the note of an event.
func Note(text string) string { return errtext.Bounded(text, Limit) }
