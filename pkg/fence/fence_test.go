package fence

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// A step is something that happens, and what the fence is then.
type step struct {
	at   time.Duration
	what func(*scene)
	open bool
	lost bool
	says string
}

// scene is an election, as the lock of one candidate sees it.
type scene struct {
	t     *testing.T
	fence *Fence
	lock  resourcelock.Interface
	now   time.Duration
	// holder is who the Lease names.
	holder string
	// sent counts writes of the Lease.
	sent int
	// fail is what the next write is answered; takes is how long it takes.
	fail  error
	takes time.Duration
}

const us, them = "us", "them"

func (s *scene) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	return &resourcelock.LeaderElectionRecord{HolderIdentity: s.holder}, nil, nil
}

func (s *scene) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return s.Update(ctx, record)
}

func (s *scene) Update(_ context.Context, record resourcelock.LeaderElectionRecord) error {
	s.sent++
	s.now += s.takes
	if s.fail == nil {
		s.holder = record.HolderIdentity
	}
	return s.fail
}
func (*scene) RecordEvent(string) {}
func (*scene) Identity() string   { return us }
func (*scene) Describe() string   { return "ns/lease" }

func write(holder string, takes time.Duration, fail error) func(*scene) {
	return func(s *scene) {
		s.takes, s.fail = takes, fail
		err := s.lock.Update(context.Background(), resourcelock.LeaderElectionRecord{HolderIdentity: holder})
		if !errors.Is(err, fail) {
			s.t.Errorf("the Lease's write returned %v, want %v", err, fail)
		}
	}
}

func taken(s *scene) { s.holder = them }
func look(s *scene)  { _, _, _ = s.lock.Get(context.Background()) }

// unsent is a renewal that must not reach the API server.
func unsent(s *scene) {
	before := s.sent
	if err := s.lock.Update(context.Background(), resourcelock.LeaderElectionRecord{HolderIdentity: us}); !errors.Is(err, ErrNotLeading) {
		s.t.Errorf("a renewal of a lost Lease returned %v", err)
	}
	if s.sent != before {
		s.t.Error("a lost Lease was renewed")
	}
}

func TestFence(t *testing.T) {
	renew := write(us, 0, nil)
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "leases"}, "lease", nil)
	gone := apierrors.NewNotFound(schema.GroupResource{Resource: "leases"}, "lease")
	seconds := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	for name, steps := range map[string][]step{
		"closed before the Lease is held": {
			{says: "does not hold the Lease ns/lease"},
			{at: seconds(100), what: taken},
			{at: seconds(101), what: look}, // somebody else leads: nothing is lost
			{at: seconds(102), what: renew, open: true},
		},
		"open as long as it is renewed": {
			{what: renew, open: true},
			{at: seconds(8), open: true},
			{at: seconds(8), what: renew, open: true},
			{at: seconds(16.9), open: true},
			{at: seconds(16.95), what: look, open: true},
		},
		"valid from before the request, not from the answer": {
			{what: write(us, seconds(6), nil), open: true},
			{at: seconds(8.9), open: true},
			{at: seconds(9), lost: true, says: "last renewed the Lease ns/lease 9s ago, which is good for 9s"},
		},
		"lost by time, for good": {
			{what: renew, open: true},
			{at: seconds(60), lost: true},
			{at: seconds(60), what: unsent, lost: true},
			{at: seconds(61), what: unsent, lost: true, says: "1m0s ago"},
		},
		"lost by time although the renewal is the first to notice": {
			{what: renew, open: true},
			{at: seconds(60), what: unsent, lost: true},
		},
		"lost to another holder": {
			{what: renew, open: true},
			{at: seconds(1), what: taken, open: true},
			{at: seconds(2), what: look, lost: true, says: `held by "them" now`},
			{at: seconds(3), what: unsent, lost: true, says: `held by "them" now`},
		},
		"lost to one who has released it again": {
			{what: renew, open: true},
			{at: seconds(1), what: func(s *scene) { s.holder = "" }, open: true},
			{at: seconds(2), what: look, lost: true},
		},
		"closed while it is not known who wrote the Lease": {
			{what: renew, open: true},
			{at: seconds(1), what: write(us, 0, conflict), says: "somebody else has written the Lease"},
			{at: seconds(1), what: look},
			{at: seconds(1), what: renew, open: true},
			{at: seconds(2), what: write(us, 0, gone)},
			{at: seconds(2), what: renew, open: true},
		},
		"a renewal that fails changes nothing": {
			{what: renew, open: true},
			{at: seconds(5), what: write(us, 0, context.DeadlineExceeded), open: true},
			{at: seconds(8.9), open: true},
			{at: seconds(9), lost: true},
		},
		"closed before the Lease is released, also if that fails": {
			{what: renew, open: true},
			{at: seconds(1), what: write("", 0, nil)},
			{at: seconds(2), what: renew, open: true},
			{at: seconds(3), what: write("", 0, context.DeadlineExceeded)},
			{at: seconds(100), what: look},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scene{t: t, fence: New("ns/lease", 10*time.Second)}
			s.fence.now = func() time.Duration { return s.now }
			s.lock = s.fence.Lock(s)
			for i, step := range steps {
				s.now = max(s.now, step.at)
				if step.what != nil {
					step.what(s)
				}
				err := s.fence.Check()
				if (err == nil) != step.open || (err != nil && !errors.Is(err, ErrNotLeading)) {
					t.Errorf("step %d: Check returned %v", i, err)
				}
				if err != nil && !strings.Contains(err.Error(), step.says) {
					t.Errorf("step %d: the error is %q and should say %q", i, err, step.says)
				}
				if lost := isClosed(s.fence.Lost()); lost != step.lost || (s.fence.Err() != nil) != step.lost {
					t.Errorf("step %d: lost is %t, with the error %v", i, lost, s.fence.Err())
				}
			}
		})
	}
}

func TestNoFence(t *testing.T) {
	var none *Fence
	if none.Check() != nil || none.Err() != nil || isClosed(none.Lost()) {
		t.Error("no fence is an open one")
	}
}

func TestClock(t *testing.T) {
	if first := bootTime(); first <= 0 || bootTime() < first {
		t.Error("the clock does not go on")
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
