package fence

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestClockIsNotOnTheWall: whoever sets the machine's clock, or has it corrected, moves
// the fence neither way. /proc/uptime is told by the clock that it has to be: since the
// start of the machine, with the time in which that slept.
func TestClockIsNotOnTheWall(t *testing.T) {
	before := bootTime()
	raw, err := os.ReadFile("/proc/uptime")
	after := bootTime()
	if err != nil {
		t.Skip(err)
	}
	text, _, _ := strings.Cut(string(raw), " ")
	uptime, err := time.ParseDuration(text + "s")
	if err != nil {
		t.Fatal(err)
	}
	const hundredth = 10 * time.Millisecond // as it is written
	if uptime < before-hundredth || uptime > after {
		t.Errorf("the machine runs for %s, and the clock says %s to %s", uptime, before, after)
	}
}
