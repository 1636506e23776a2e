package executor

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fedctl/fedctl/pkg/api/backup/v1alpha1"
	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// trialPeriod is how long a repository that could be written to is believed to be
// writable. A bucket with versions keeps something of each trial.
const trialPeriod = time.Hour

// trials are the repositories that were found to be writable. One that is not, or of
// which somebody says so, is tried at each look.
type trials struct {
	mu     sync.Mutex
	byName map[types.NamespacedName]trial
}

type trial struct {
	what string
	at   time.Time
}

func (t *trials) due(name types.NamespacedName, what string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, ok := t.byName[name]
	return !ok || last.what != what || now.Sub(last.at).Abs() >= trialPeriod
}

func (t *trials) passed(name types.NamespacedName, what string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byName == nil {
		t.byName = map[types.NamespacedName]trial{}
	}
	t.byName[name] = trial{what, now}
}

func (t *trials) forget(name types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.byName, name)
}

// try sees whether a repository can be written to, unless that was seen a while ago with
// the same credentials and nobody has asked since.
func (r *repositories) try(ctx context.Context, object *v1alpha1.BackupRepository, config repository.Config, open *repository.Repository) error {
	credentials, err := json.Marshal(config.Storage)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s %q %x", object.UID, object.Annotations[v1alpha1.CheckAnnotation], sha256.Sum256(credentials))
	name, now := client.ObjectKeyFromObject(object), r.opts.Clock.Now()
	if !r.trials.due(name, what, now) {
		return nil
	}
	if err := open.Try(ctx); err != nil {
		r.trials.forget(name)
		return err
	}
	r.trials.passed(name, what, now)
	return nil
}
