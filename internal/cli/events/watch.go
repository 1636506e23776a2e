package events

import (
	"context"
	"errors"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/internal/cli/members"
	"github.com/fedctl/fedctl/internal/view"
	"github.com/fedctl/fedctl/pkg/errtext"
	"github.com/fedctl/fedctl/pkg/fleetapi/union"
)

const (
	lookAgain = 2 * time.Second
	mostWait  = 15 * time.Second
)

// watching is that of all members.
type watching struct {
	*Options
	notes *members.Notes
	fail  context.CancelCauseFunc
}

// watch prints what there is and what comes, until ctx ends.
func (o *Options) watch(ctx context.Context, reacher *members.Reacher, reached *members.Reached, lists map[string]*listed, first []view.MemberEvent) error {
	running, cancel := context.WithCancelCause(ctx)
	w := &watching{Options: o, notes: members.NewNotes(o.factory.ErrOut), fail: cancel}
	if err := o.print(first); err != nil {
		return err
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel(nil)
	followed := map[string]bool{}
	for {
		for _, m := range reached.Missing {
			w.notes.Lost(m)
		}
		for _, m := range reached.Members {
			if !followed[m.Name] {
				followed[m.Name] = true
				all.Go(func() { w.follow(running, m, lists[m.Name]) })
			}
		}
		select {
		case <-running.Done():
			return context.Cause(running)
		case <-time.After(lookAgain):
		}
		again, err := reacher.Reach(running)
		if err == nil {
			reached = again
		} else if running.Err() == nil {
			w.notes.Once("Warning: the members cannot be looked up now: %v", err)
		}
	}
}

// follow prints the events of one member until ctx ends. Of one that was missing, those are
// new that were not told of.
func (w *watching) follow(ctx context.Context, m members.Member, told *listed) {
	for pauses := (union.Pauses{Most: mostWait}); ctx.Err() == nil; {
		how := union.Ends
		watched, err := w.round(ctx, m, &told)
		switch {
		case ctx.Err() != nil:
			return
		case members.Expired(err):
			how = union.Expires
		case err != nil:
			how = union.Fails
			w.notes.Lost(members.MissingOf(m.Name, err))
		}
		if how != union.Ends && told != nil {
			told.version = ""
		}
		wait := pauses.After(how, watched)
		if how == union.Expires && pauses.Fleeting() {
			w.notes.Once("Warning: cluster %s: %s", m.Name, union.NoHold(errtext.Stable(err)))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// round lists, if it is not known from where to watch, and watches until the watch ends. It
// returns for how long.
func (w *watching) round(ctx context.Context, m members.Member, told **listed) (watched time.Duration, err error) {
	if *told == nil || (*told).version == "" {
		found, err := w.list(ctx, m)
		if err != nil {
			return 0, err
		}
		w.notes.Back(m.Name)
		if err := w.printNew(*told, found); err != nil {
			w.fail(err)
			return 0, nil
		}
		*told = found
	}
	meant, err := w.meant(m)
	if err != nil {
		return 0, err
	}
	c, err := kubernetes.NewForConfig(m.Streams)
	if err != nil {
		return 0, err
	}
	events, err := c.CoreV1().Events(w.Namespace).Watch(ctx, metav1.ListOptions{FieldSelector: meant.fields(), ResourceVersion: (*told).version, AllowWatchBookmarks: true})
	if err != nil {
		return 0, err
	}
	defer events.Stop()
	began := time.Now()
	err = w.events(events, m.Name, meant, *told)
	return time.Since(began), err
}

// printNew prints the events of a list that were not told of before.
func (w *watching) printNew(before, found *listed) error {
	var fresh []view.MemberEvent
	for i, uid := range found.order {
		if before == nil || before.told[uid] != found.told[uid] {
			fresh = append(fresh, found.events[i])
		}
	}
	view.SortEvents(fresh)
	return w.print(fresh)
}

// events prints what a watch tells. An error is the member's.
func (w *watching) events(from watch.Interface, cluster string, meant object, told *listed) error {
	for event := range from.ResultChan() {
		if event.Type == watch.Error {
			return apierrors.FromObject(event.Object)
		}
		e, isEvent := event.Object.(*corev1.Event)
		if !isEvent {
			return errors.New("what its watch tells of is no event")
		}
		told.version = e.ResourceVersion
		switch {
		case event.Type == watch.Deleted:
			delete(told.told, string(e.UID))
		case event.Type != watch.Bookmark && w.shows(e, meant):
			told.told[string(e.UID)] = e.ResourceVersion
			if err := w.print([]view.MemberEvent{view.EventOf(cluster, e)}); err != nil {
				w.fail(err)
				return nil
			}
		}
	}
	return nil
}
