package logs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/fedctl/fedctl/internal/cli/members"
)

// How a follower stands.
type state int

const (
	busy   state = iota // something comes, or is not known yet
	idle                // what there was has ended for good
	absent              // there is nothing of what is meant
)

// mostWait is the most that is waited before a member or a log is tried again.
const mostWait = 15 * time.Second

// follower follows the pods of one member. It lasts as long as the command: what it has
// not now, it may have later.
type follower struct {
	*following
	member members.Member
	client kubernetes.Interface
	logs   kubernetes.Interface

	// last is what was meant when it was there.
	last *target

	mu       sync.Mutex
	standing state
	ever     bool // there was something
	// streams are those of containers that are there, by the pod's UID and their names.
	streams map[string]*stream
}

func (f *follower) state() (state, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.standing, f.ever
}

func (f *follower) stand(s state) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.standing = s
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	defer f.wait()
	for wait := lookAgain; ctx.Err() == nil; {
		err := f.round(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case apierrors.IsNotFound(err):
			f.notes.Back(f.member.Name)
			f.gone()
		case err != nil:
			f.notes.Lost(members.MissingOf(f.member.Name, err))
			f.stand(idle) // it is waited for as one that is missing
			wait = min(2*wait, mostWait)
		default:
			wait = lookAgain
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// gone notes that there is nothing of what is meant.
func (f *follower) gone() {
	f.stand(absent)
	f.notes.Once("note: there is no %s in %s (yet).", f.what(), f.member.Name)
}

// wait returns when no stream writes any more.
func (f *follower) wait() {
	f.mu.Lock()
	var all []*stream
	for _, s := range f.streams {
		all = append(all, s)
	}
	f.mu.Unlock()
	for _, s := range all {
		s.ended.Wait()
	}
}

// round finds the pods, and follows what becomes of them until the watch ends.
func (f *follower) round(ctx context.Context) error {
	if f.client == nil {
		var err error
		if f.client, err = kubernetes.NewForConfig(f.member.Config); err != nil {
			return err
		}
		if f.logs, err = kubernetes.NewForConfig(f.member.Streams); err != nil {
			return err
		}
	}
	t, err := f.resolve(ctx, f.member)
	if apierrors.IsNotFound(err) && f.last != nil { // it is gone, and its pods go
		t, err = *f.last, nil
		t.ends = true
	}
	if err != nil {
		return err
	}
	f.last = &t
	pods, version, err := t.list(ctx, f.client, f.Namespace)
	if err != nil {
		return err
	}
	f.notes.Back(f.member.Name)
	return f.watch(ctx, t, version, f.settle(ctx, t, pods))
}

// settle takes up the pods that there are, and notes how the follower stands by them. It
// returns when that is to be looked at again.
func (f *follower) settle(ctx context.Context, t target, pods []corev1.Pod) time.Duration {
	there, over, again := map[string]bool{}, t.ends, 5*lookAgain
	for i := range pods {
		there[string(pods[i].UID)] = true
		over = over && ended(&pods[i])
		f.consider(ctx, &pods[i])
	}
	if over { // only ends of logs are waited for
		again = lookAgain
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for key, s := range f.streams {
		if !there[s.uid] {
			s.podGone()
			if !s.running() {
				delete(f.streams, key)
			}
		}
		over = over && !s.running()
	}
	f.ever = f.ever || len(pods) > 0
	switch {
	case !over:
		f.standing = busy
	case len(pods) == 0:
		f.standing = absent
	default:
		f.standing = idle
	}
	return again
}

// watch follows the pods. From time to time it ends, so that all is looked at anew: the
// workload may have ended, or select other pods.
func (f *follower) watch(ctx context.Context, t target, version string, period time.Duration) error {
	watching, cancel := context.WithTimeout(ctx, period)
	defer cancel()
	options := t.options()
	options.ResourceVersion = version
	pods, err := f.client.CoreV1().Pods(f.Namespace).Watch(watching, options)
	if err != nil {
		if watching.Err() != nil {
			return nil // it was to end
		}
		return err
	}
	defer pods.Stop()
	for event := range pods.ResultChan() {
		pod, isPod := event.Object.(*corev1.Pod)
		switch {
		case event.Type == watch.Error:
			if err := apierrors.FromObject(event.Object); !apierrors.IsResourceExpired(err) && watching.Err() == nil {
				return err
			}
			return nil
		case !isPod:
			return errors.New("what its watch tells of is no pod")
		case event.Type == watch.Deleted:
			f.podGone(string(pod.UID))
		default:
			f.consider(ctx, pod)
			if ended(pod) {
				return nil // this may be all
			}
		}
	}
	return nil
}

func (f *follower) podGone(uid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.streams {
		if s.uid == uid {
			s.podGone()
		}
	}
}

// consider reads the logs of a pod's containers that have begun.
func (f *follower) consider(ctx context.Context, pod *corev1.Pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range f.choose(f.member.Name, pod, f.notes) {
		key := fmt.Sprintf("%s/%s", pod.UID, name)
		s := f.streams[key]
		if s == nil {
			s = &stream{follower: f, uid: string(pod.UID), pod: pod.Name, container: name, from: source(f.member.Name, pod, name), later: f.ever}
			f.streams[key] = s
		}
		s.consider(ctx, statusOf(pod, name))
	}
}
