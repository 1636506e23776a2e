package restore

import (
	"fmt"
	"slices"
	"sync"
	"time"

	backupv1alpha1 "github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// tellPeriod is the time between two words on how far a restore is.
const tellPeriod = time.Second

// tally is what has become of objects so far.
type tally struct {
	progress func(Result)

	mu     sync.Mutex
	told   time.Time // when progress was
	plans  int64
	result Result
	// uids of restored and found objects, by the ones they were saved with.
	uids    map[string]string
	orphans []orphan
}

// count changes the counts of a resource, and tells about it.
func (t *tally) count(resource content.Resource, change func(*backupv1alpha1.RestoreCounts)) {
	t.mu.Lock()
	change(&t.result.Counts)
	i := slices.IndexFunc(t.result.Resources, func(c backupv1alpha1.ResourceCounts) bool { return c.Resource == resource.Name() })
	if i < 0 {
		i = len(t.result.Resources)
		t.result.Resources = append(t.result.Resources, backupv1alpha1.ResourceCounts{Resource: resource.Name()})
	}
	change(&t.result.Resources[i].RestoreCounts)
	t.mu.Unlock()
	t.tell()
}

// tell says how far the restore is, now and then.
func (t *tally) tell() {
	t.mu.Lock()
	due := t.progress != nil && time.Since(t.told) >= tellPeriod
	if due {
		t.told = time.Now()
	}
	t.mu.Unlock()
	if due {
		t.progress(t.snapshot())
	}
}

// planned counts an object of which it is known what is to be done, before anything is.
func (t *tally) planned() {
	t.mu.Lock()
	t.plans++
	t.result.Waiting = fmt.Sprintf("looks at what is there before anything is written: %d objects so far", t.plans)
	t.mu.Unlock()
	t.tell()
}

func (t *tally) written(resource content.Resource, s *saved, updated bool) {
	t.mu.Lock()
	t.result.Bytes += s.size
	t.mu.Unlock()
	t.count(resource, func(c *backupv1alpha1.RestoreCounts) {
		if updated {
			c.Updated++
		} else {
			c.Created++
		}
	})
}

func (t *tally) skipped(resource content.Resource) {
	t.count(resource, func(c *backupv1alpha1.RestoreCounts) { c.Skipped++ })
}

func (t *tally) failed(resource content.Resource, objects int64) {
	t.count(resource, func(c *backupv1alpha1.RestoreCounts) { c.Failed += objects })
}

func (t *tally) deferred(resource content.Resource, objects int64) {
	t.count(resource, func(c *backupv1alpha1.RestoreCounts) { c.Deferred += objects })
}

func (t *tally) warn(resource, namespace, name, message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.result.Warnings) >= maxWarnings {
		t.result.MoreWarnings++
		return
	}
	const longest = 1000
	t.result.Warnings = append(t.result.Warnings, backupv1alpha1.ResourceWarning{Resource: resource, Namespace: namespace, Name: name, Message: errtext.Bounded(message, longest)})
}

// waits tells for what the restore waits; nothing, when it goes on.
func (t *tally) waits(text string) {
	t.mu.Lock()
	t.result.Waiting = text
	t.mu.Unlock()
	if t.progress != nil {
		t.progress(t.snapshot())
	}
}

// snapshot is a copy of the result, which others may keep.
func (t *tally) snapshot() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.result
	out.Warnings = slices.Clone(out.Warnings)
	out.Resources = slices.Clone(out.Resources)
	return out
}

// remember notes the UID that an object has now.
func (t *tally) remember(old, now string) {
	if old == "" || now == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.uids[old] = now
}

func (t *tally) newUID(old string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, ok := t.uids[old]
	return now, ok
}
