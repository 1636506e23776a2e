package logs

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fedctl/fedctl/internal/lines"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// stream is the log of one container that is followed. One that breaks off is taken up
// where it was, and one whose container starts again as well.
type stream struct {
	*follower
	uid, pod, container string
	from                lines.Source
	// later says that the pod has come since: all of its log is wanted.
	later bool

	ended sync.WaitGroup
	lock  sync.Mutex
	runs  bool
	// wanted is the container, by its ID, that is running or was last; read is the one whose
	// log was read to its end.
	wanted, read string
	live, gone   bool
	// end ends the reading; nil while nothing is read.
	end context.CancelFunc

	place place
}

// place is how far a log was read: the time of the last line, and how many lines of that
// time there were. API servers begin at a second.
type place struct {
	at time.Time
	n  int
}

// passed says whether a line was read before, of a log that begins again at the place;
// again counts its lines of that time.
func (p place) passed(line lines.Line, again *int) bool {
	switch {
	case p.at.IsZero() || line.Time.After(p.at):
		return false
	case line.Time.Before(p.at):
		return true
	}
	*again++
	return *again <= p.n
}

// advance notes a line that was read.
func (p *place) advance(line lines.Line) {
	if line.Time.Equal(p.at) {
		p.n++
	} else {
		*p = place{line.Time, 1}
	}
}

func (s *stream) isGone() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.gone
}

func (s *stream) running() bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.runs
}

// lastWords is how long the end of a log may take when its pod is gone.
const lastWords = 5 * time.Second

// podGone ends the reading when the log ends, or does not although its pod is gone.
func (s *stream) podGone() {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.live, s.gone = false, true; s.end != nil {
		time.AfterFunc(lastWords, s.end)
		s.end = nil
	}
}

// begin is the context of one reading.
func (s *stream) begin(ctx context.Context) (reading context.Context, end context.CancelFunc) {
	reading, end = context.WithCancel(ctx)
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.end = end; s.gone {
		time.AfterFunc(lastWords, end)
	}
	return reading, end
}

// consider reads the log of a container that has begun, unless that was done.
func (s *stream) consider(ctx context.Context, status *corev1.ContainerStatus) {
	if status == nil {
		return
	}
	began := status.State.Running != nil || status.State.Terminated != nil
	s.lock.Lock()
	defer s.lock.Unlock()
	s.live = status.State.Running != nil
	if id := status.ContainerID; began {
		s.wanted = id + "#" // runtimes that name none have one container
	}
	if !began || s.runs || s.wanted == s.read {
		return
	}
	s.runs = true
	s.ended.Go(func() { s.run(ctx) })
}

// next says whose log is to be read now, and notes that none is if there is no more.
func (s *stream) next(read string) (wanted string, more bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if read != "" && !s.live {
		s.read = read
	}
	more = !s.gone && s.wanted != s.read
	s.runs = more
	return s.wanted, more
}

// run reads until there is no more.
func (s *stream) run(ctx context.Context) {
	if !s.slot(ctx) {
		return
	}
	defer func() { <-s.slots }()
	wait := lookAgain
	for wanted, more := s.next(""); more && ctx.Err() == nil; {
		err := s.readOnce(ctx)
		read := wanted
		switch {
		case ctx.Err() != nil:
			return
		case apierrors.IsNotFound(err):
			s.podGone()
		case err != nil && s.isGone(): // it was ended
		case err != nil:
			read = ""
			s.notes.Once("Warning: the log of %s: %s; it is tried again", s.from, errtext.Stable(err))
			wait = min(2*wait, mostWait)
		default:
			wait = lookAgain
		}
		select { // its pod's status comes after the end of its log
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		wanted, more = s.next(read)
	}
}

// slot waits until the log may be read.
func (s *stream) slot(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
		s.notes.Once("note: there are more than %d logs: the others wait until one of these ends (--max-log-requests).", s.MaxRequests)
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// readOnce prints what comes until the log ends, or breaks off.
func (s *stream) readOnce(ctx context.Context) error {
	options := s.logOptions(s.container)
	if s.later {
		options.TailLines = nil
	}
	if !s.place.at.IsZero() {
		options.TailLines, options.SinceSeconds, options.SinceTime = nil, nil, &metav1.Time{Time: s.place.at}
	}
	ctx, end := s.begin(ctx)
	defer end()
	log, err := openLog(ctx, s.logs, s.Namespace, s.pod, options)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // only read
	before, again := s.place, 0
	for reader := lines.NewReader(log); ; {
		line, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case before.passed(line, &again):
			continue
		}
		s.place.advance(line)
		if err := s.write(s.from, line); err != nil {
			return nil // it has ended everything
		}
	}
}
