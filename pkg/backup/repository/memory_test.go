package repository_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/fedctl/fedctl/pkg/backup/repository"
)

// TestOpeningTakesBoundedMemory: to derive a key takes 64 MiB, and a controller that begins
// opens the repositories of all clusters.
func TestOpeningTakesBoundedMemory(t *testing.T) {
	const repositories, most = 16, 768 << 20 // of 1 GiB, with what the collector leaves
	config := inDir(t)
	if err := open(t, config).Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var opening sync.WaitGroup
	for range repositories {
		opening.Go(func() {
			r, err := repository.OpenReadOnly(t.Context(), config)
			if err != nil {
				t.Error(err)
				return
			}
			_ = r.Close(context.Background())
		})
	}
	done := make(chan struct{})
	go func() { opening.Wait(); close(done) }()
	peak := uint64(0)
	for {
		select {
		case <-done:
			if peak > most {
				t.Errorf("%d repositories took %d MiB to open", repositories, peak>>20)
			}
			return
		case <-time.After(5 * time.Millisecond):
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
	}
}
