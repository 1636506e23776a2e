package turns

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhoTakesLongHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var quick atomic.Int32
		New(2, time.Second).Each(t.Context(), 9, func(i int) {
			if i < 8 {
				time.Sleep(time.Hour)
				return
			}
			if took := time.Since(begun); took != 4*time.Second {
				t.Errorf("its turn came after %s", took)
			}
			quick.Add(1)
		})
		if took := time.Since(begun); quick.Load() != 1 || took != time.Hour+3*time.Second {
			t.Errorf("all had been asked after %s", took)
		}
	})
}

func TestFewAreAskedAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		New(3, time.Hour).Each(t.Context(), 20, func(int) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			now.Add(-1)
		})
		if most.Load() != 3 {
			t.Errorf("%d at a time", most.Load())
		}
	})
}

func TestATurnThatIsLeftIsLeftOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := New(1, time.Second)
		leave, err := turns.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // it is given up
		next, err := turns.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		leave() // and does not end the next one's
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := turns.Take(ctx); err == nil {
			t.Error("there are two at a time")
		}
		next()
		next()
	})
}

func TestAllHaveTheirTurnWithinATime(t *testing.T) {
	for _, c := range []struct {
		number, atOnce int
		want           time.Duration
	}{{0, 32, 8 * time.Second}, {32, 32, 8 * time.Second}, {33, 32, 4 * time.Second}, {320, 32, 800 * time.Millisecond}} {
		if got := Soon(8*time.Second, c.number, c.atOnce); got != c.want {
			t.Errorf("%d of %d at a time: %s, want %s", c.number, c.atOnce, got, c.want)
		}
	}
}
