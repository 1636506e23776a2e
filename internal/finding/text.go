package finding

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// shownObjects is how many names a finding shows where not all are asked for.
const shownObjects = 5

// Write writes findings for people. all is for the names of all objects. An error is the
// writer's.
func Write(w io.Writer, findings []Finding, all bool) error {
	for i := range findings {
		if _, err := io.WriteString(w, findings[i].text(all)); err != nil {
			return err
		}
	}
	return nil
}

func (f *Finding) text(all bool) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "\n%s %s", strings.ToUpper(string(f.Level)), f.Code)
	if f.Subject != "" {
		fmt.Fprintf(b, ": %s", f.Subject)
	}
	if names := f.Objects; len(names) > 0 {
		more := ""
		if !all && len(names) > shownObjects {
			more = fmt.Sprintf(" and %d more", len(names)-shownObjects)
			names = names[:shownObjects]
		}
		fmt.Fprintf(b, " %s%s", strings.Join(names, ", "), more)
	}
	if f.Since != nil {
		fmt.Fprintf(b, " (since %s)", f.Since.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(b, "\n  %s\n", f.Message)
	if f.Do != "" {
		fmt.Fprintf(b, "  -> %s\n", f.Do)
	}
	return b.String()
}
