package outcome

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// Sheet is a list of differences that are expected.
type Sheet struct {
	entries []Entry
	seen    []map[string]bool // cases in which the entry has been seen
}

// Entry is one difference, or several alike, that is expected.
type Entry struct {
	// Cases are patterns of the names of the cases.
	Cases []string `json:"cases"`
	// At are patterns of the paths at which they differ; empty: anywhere.
	At []string `json:"at,omitempty"`
	// Point names what it is to be mended with; none for what is meant.
	Point string `json:"point,omitempty"`
	// About sums up what the cases try, for the documentation; without it they say so.
	About string `json:"about,omitempty"`
	// Theirs and Ours say what comes out, for the documentation.
	Theirs string `json:"theirs,omitempty"`
	Ours   string `json:"ours,omitempty"`
	// Why it is so.
	Why string `json:"why"`
}

// ParseSheet reads entries.
func ParseSheet(content []byte) (*Sheet, error) {
	s := &Sheet{}
	if err := yaml.UnmarshalStrict(content, &s.entries); err != nil {
		return nil, err
	}
	for i, e := range s.entries {
		if len(e.Cases) == 0 || strings.TrimSpace(e.Why) == "" {
			return nil, fmt.Errorf("entry %d needs cases and why", i)
		}
		s.seen = append(s.seen, map[string]bool{})
	}
	return s, nil
}

// Entries returns all entries.
func (s *Sheet) Entries() []Entry { return s.entries }

// Expects says whether a difference is expected, and remembers that each entry that
// says so has been seen.
func (s *Sheet) Expects(name string, d Difference) bool {
	expected := false
	for i, e := range s.entries {
		if e.forCase(name) && e.forPath(d.Path) {
			s.seen[i][name] = true
			expected = true
		}
	}
	return expected
}

// Covers says whether a difference is expected, and remembers nothing.
func (s *Sheet) Covers(name string, d Difference) bool {
	for _, e := range s.entries {
		if e.forCase(name) && e.forPath(d.Path) {
			return true
		}
	}
	return false
}

// Stale returns the entries, with each pattern, that stand for none of the differences
// of the cases that ran. A pattern that none of these cases has is no matter, and one
// for several cases only counts if all cases ran.
func (s *Sheet) Stale(ran []string, all bool) []string {
	var stale []string
	for i, e := range s.entries {
		for _, pattern := range e.Cases {
			if !all && strings.Contains(pattern, "*") {
				continue
			}
			tried, seen := 0, 0
			for _, name := range ran {
				if MatchName(pattern, name) {
					tried++
					if s.seen[i][name] {
						seen++
					}
				}
			}
			if tried > 0 && seen == 0 {
				stale = append(stale, fmt.Sprintf("%s %s (%s)", pattern, strings.Join(e.At, " "), e.reason()))
			}
		}
	}
	return stale
}

// For returns the entries that name a case.
func (s *Sheet) For(name string) []Entry {
	var all []Entry
	for _, e := range s.entries {
		if e.forCase(name) {
			all = append(all, e)
		}
	}
	return all
}

func (e Entry) reason() string {
	if e.Point == "" {
		return e.Why
	}
	return "point " + e.Point + ": " + e.Why
}

func (e Entry) forCase(name string) bool {
	for _, pattern := range e.Cases {
		if MatchName(pattern, name) {
			return true
		}
	}
	return false
}

func (e Entry) forPath(path string) bool {
	for _, pattern := range e.At {
		if MatchPath(pattern, path) {
			return true
		}
	}
	return len(e.At) == 0
}
