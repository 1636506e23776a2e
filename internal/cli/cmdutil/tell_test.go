package cmdutil

import (
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

func TestTellSaysWhatIsNew(t *testing.T) {
	streams, _, _, errOut := genericiooptions.NewTestIOStreams()
	said := atomic.Int32{}
	stop := NewFactory(streams).tellEvery(time.Millisecond, func() string {
		return []string{"", "reading", "reading", "writing", "writing"}[min(said.Add(1)-1, 4)]
	})
	for deadline := time.Now().Add(time.Minute); said.Load() < 6 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	stop()
	if got, want := errOut.String(), "reading ...\nwriting ...\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTellIsSilentAboutWhatIsQuick(t *testing.T) {
	streams, _, _, errOut := genericiooptions.NewTestIOStreams()
	NewFactory(streams).tellEvery(time.Hour, func() string { return "reading" })()
	if errOut.Len() > 0 {
		t.Errorf("%q", errOut.String())
	}
}
