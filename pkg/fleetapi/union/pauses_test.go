package union

import (
	"testing"
	"time"
)

func TestPauses(t *testing.T) {
	type step struct {
		how    Ending
		lasted time.Duration
		want   time.Duration
	}
	const s, most = time.Second, 30 * time.Second
	for name, test := range map[string]struct {
		steps    []step
		fleeting bool
	}{
		"what ends is taken up again soon":     {[]step{{Ends, 0, s}, {Ends, 0, s}, {Ends, most, s}}, false},
		"what fails is asked ever more seldom": {[]step{{Fails, 0, 2 * s}, {Fails, 0, 4 * s}, {Fails, 0, 8 * s}, {Fails, 0, 16 * s}, {Fails, 0, most}, {Fails, 0, most}}, false},
		"until it does not":                    {[]step{{Fails, 0, 2 * s}, {Fails, 0, 4 * s}, {Ends, 0, s}, {Fails, 0, 2 * s}}, false},
		"to expire once is usual":              {[]step{{Expires, 0, s}, {Ends, most, s}, {Expires, 0, s}}, false},
		"and in the middle of failures":        {[]step{{Fails, 0, 2 * s}, {Expires, 0, 2 * s}, {Fails, 0, 4 * s}}, false},
		"to expire again and again is not":     {[]step{{Expires, 0, s}, {Expires, s, 2 * s}, {Expires, 0, 4 * s}, {Expires, 0, 8 * s}, {Expires, 0, 16 * s}, {Expires, 0, most}, {Expires, most - 1, most}}, true},
		"nor with ends in between":             {[]step{{Expires, 0, s}, {Ends, 0, s}, {Expires, 0, 2 * s}, {Ends, 0, 4 * s}, {Expires, 0, 8 * s}}, true},
		"until one lasts":                      {[]step{{Expires, 0, s}, {Expires, 0, 2 * s}, {Expires, most, s}, {Expires, 0, 2 * s}, {Ends, most, s}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := Pauses{Most: most}
			for i, step := range test.steps {
				if got := p.After(step.how, step.lasted); got != step.want {
					t.Errorf("%d: got %s, want %s", i, got, step.want)
				}
			}
			if p.Fleeting() != test.fleeting {
				t.Errorf("fleeting: %v", !test.fleeting)
			}
		})
	}
}
