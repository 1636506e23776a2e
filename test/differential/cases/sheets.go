package cases

import (
	"fmt"
	"io/fs"

	"github.com/fedctl/fedctl/test/outcome"
)

// The files beside the cases' directory.
const (
	// Manifests is the directory of the cases.
	Manifests = "manifests"
	meantFile = "meant.yaml"
	knownFile = "known.yaml"
)

// Suite is everything that the suite's directory holds.
type Suite struct {
	Cases []*Case
	// Meant are differences as they are to be; Known those that are to be mended.
	Meant, Known *outcome.Sheet
}

// Read reads the suite's directory.
func Read(dir fs.FS) (*Suite, error) {
	manifests, err := fs.Sub(dir, Manifests)
	if err != nil {
		return nil, err
	}
	s := &Suite{}
	if s.Cases, err = Load(manifests); err != nil {
		return nil, err
	}
	for file, sheet := range map[string]**outcome.Sheet{meantFile: &s.Meant, knownFile: &s.Known} {
		content, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		if *sheet, err = outcome.ParseSheet(content); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return s, s.check()
}

// check says where an entry is for no case, or says too little.
func (s *Suite) check() error {
	for file, sheet := range map[string]*outcome.Sheet{meantFile: s.Meant, knownFile: s.Known} {
		for _, e := range sheet.Entries() {
			switch {
			case file == knownFile && e.Point == "":
				return fmt.Errorf("%s: the entry for %v has no point", file, e.Cases)
			case file == meantFile && (e.Theirs == "" || e.Ours == ""):
				return fmt.Errorf("%s: the entry for %v does not say what is theirs and ours", file, e.Cases)
			}
			for _, pattern := range e.Cases {
				if !s.has(pattern) {
					return fmt.Errorf("%s: there is no case %s", file, pattern)
				}
			}
		}
	}
	return nil
}

func (s *Suite) has(pattern string) bool {
	for _, c := range s.Cases {
		if outcome.MatchName(pattern, c.Name) {
			return true
		}
	}
	return false
}
