package localcluster

import "testing"

func TestParseStat(t *testing.T) {
	const rest = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21"
	for name, test := range map[string]struct {
		stat, start string
		state       byte
		fails       bool
	}{
		"plain":                {stat: "12 (etcd) S" + rest, start: "4711", state: 'S'},
		"blanks, parentheses":  {stat: "12 (a) T (b c)) T" + rest, start: "4711", state: 'T'},
		"too short":            {stat: "12 (etcd) S 1 2", fails: true},
		"no command":           {stat: "", fails: true},
		"name without the end": {stat: "12 (etcd", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			start, state, err := parseStat(test.stat)
			if (err != nil) != test.fails || start != test.start || state != test.state {
				t.Errorf("got start %q, state %q, error %v", start, state, err)
			}
		})
	}
}
