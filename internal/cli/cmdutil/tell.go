package cmdutil

import (
	"fmt"
	"time"
)

// tellPeriod is how long a command is silent before it says what it is at, and says it
// again where that has changed.
const tellPeriod = 3 * time.Second

// Tell says on standard error what a command is at, while that takes its time: what say
// returns, if that is new, until stop is called. say is called by another goroutine.
func (f *Factory) Tell(say func() string) (stop func()) { return f.tellEvery(tellPeriod, say) }

func (f *Factory) tellEvery(period time.Duration, say func() string) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for told := ""; ; {
			select {
			case <-end:
				return
			case <-ticker.C:
			}
			if now := say(); now != "" && now != told {
				told = now
				_, _ = fmt.Fprintf(f.ErrOut, "%s ...\n", now)
			}
		}
	}()
	return func() { // nothing is written any more when it returns
		close(end)
		<-ended
	}
}
