package outcome

import (
	"path"
	"strconv"
	"strings"
)

// At returns what a JSON pointer points to, and whether there is anything.
func At(value any, pointer string) (any, bool) {
	for _, step := range steps(pointer) {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[step]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			value = v[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// Join appends steps to a JSON pointer.
func Join(pointer string, names ...string) string {
	for _, name := range names {
		pointer += "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	}
	return pointer
}

// steps are the parts of a JSON pointer, unescaped.
func steps(pointer string) []string {
	if pointer == "" {
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
	}
	return parts
}

// MatchPath says whether a JSON pointer is one of those that the pattern stands for:
// * is anything within one step, ** any number of steps, and what lies below a match
// belongs to it.
func MatchPath(pattern, pointer string) bool {
	return matchSteps(strings.Split(strings.TrimPrefix(pattern, "/"), "/"), strings.Split(strings.TrimPrefix(pointer, "/"), "/"))
}

func matchSteps(pattern, pointer []string) bool {
	switch {
	case len(pattern) == 0:
		return true
	case pattern[0] == "**":
		for i := range len(pointer) + 1 {
			if matchSteps(pattern[1:], pointer[i:]) {
				return true
			}
		}
		return false
	case len(pointer) == 0:
		return false
	}
	return MatchName(pattern[0], pointer[0]) && matchSteps(pattern[1:], pointer[1:])
}

// MatchName says whether the pattern, in which * is anything but a slash, stands for
// the name.
func MatchName(pattern, name string) bool {
	matched, err := path.Match(pattern, name)
	return err == nil && matched
}
