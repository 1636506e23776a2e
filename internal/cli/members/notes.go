package members

import (
	"fmt"
	"io"
	"sync"

	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

// Notes says on standard error who is missing, once, and who is back.
type Notes struct {
	out io.Writer

	mu      sync.Mutex
	missing map[string]bool
	said    map[string]bool
}

// NewNotes says it on out.
func NewNotes(out io.Writer) *Notes {
	return &Notes{out: out, missing: map[string]bool{}, said: map[string]bool{}}
}

// Lost notes that a member is missing.
func (n *Notes) Lost(m union.Missing) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.missing[m.Cluster] {
		n.missing[m.Cluster] = true
		_, _ = fmt.Fprintf(n.out, "Warning: %s\n", m)
	}
}

// Back notes that a member is not.
func (n *Notes) Back(cluster string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.missing[cluster] {
		delete(n.missing, cluster)
		_, _ = fmt.Fprintf(n.out, "cluster %s is back\n", cluster)
	}
}

// Once says something that is said once.
func (n *Notes) Once(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !n.said[text] {
		n.said[text] = true
		_, _ = fmt.Fprintln(n.out, text)
	}
}

// Any says whether somebody is missing.
func (n *Notes) Any() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.missing) > 0
}
