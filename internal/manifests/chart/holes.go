package chart

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// hole is what stands in a template in the place of a line: it is given the line's
// indentation with the dash of a list's item, if it is one, and its key, if it has one.
type hole func(indent, key string) string

// holes are put into an object before it is printed, as scalars and keys that mean
// nothing to YAML, and filled when it has been.
type holes struct{ list []hole }

const holePrefix = "fedctlhole"

var (
	holeLine   = regexp.MustCompile(`(?m)^( *(?:- )?)(?:([A-Za-z]+): )?` + holePrefix + `([0-9]+)(?:: "")?$`)
	itemIndent = regexp.MustCompile(`- $`)
)

func (h *holes) add(filled hole) string {
	h.list = append(h.list, filled)
	return fmt.Sprintf("%s%03d", holePrefix, len(h.list)-1)
}

// scalar is a field with the value of an expression.
func (h *holes) scalar(expression string) string {
	return h.add(func(indent, key string) string { return fmt.Sprintf("%s%s: {{ %s }}", indent, key, expression) })
}

// optional is a field that is left out where the value is empty.
func (h *holes) optional(value string) string {
	return h.add(func(indent, key string) string {
		return fmt.Sprintf("%[1]s{{- with %[3]s }}\n%[1]s%[2]s: {{ . | quote }}\n%[1]s{{- end }}", indent, key, value)
	})
}

// block is a field that holds a list or a map, and is left out where that is empty.
func (h *holes) block(value string) string {
	return h.add(func(indent, key string) string {
		return fmt.Sprintf("%[1]s{{- with %[3]s }}\n%[1]s%[2]s:\n%[1]s  {{- toYaml . | nindent %[4]d }}\n%[1]s{{- end }}", indent, key, value, len(indent)+2)
	})
}

// entries are further items of a list, or fields of a map.
func (h *holes) entries(value string) string {
	return h.add(func(indent, _ string) string {
		indent = itemIndent.ReplaceAllString(indent, "")
		return fmt.Sprintf("%[1]s{{- with %[2]s }}\n%[1]s{{- toYaml . | nindent %[3]d }}\n%[1]s{{- end }}", indent, value, len(indent))
	})
}

// action is an item of a list that is none, but begins or ends a condition for those
// after it.
func (h *holes) action(action string) string {
	return h.add(func(indent, _ string) string {
		return itemIndent.ReplaceAllString(indent, "") + "{{- " + action + " }}"
	})
}

// fieldsIf are fields of a map that are there under a condition, in the place of a key.
func (h *holes) fieldsIf(condition string, fields map[string]any) (string, error) {
	text, err := yaml.Marshal(fields)
	if err != nil {
		return "", err
	}
	return h.add(func(indent, _ string) string {
		return fmt.Sprintf("%[1]s{{- if %[2]s }}\n%[3]s\n%[1]s{{- end }}", indent, condition, indented(string(text), indent))
	}), nil
}

// print prints an object as the template that its holes make of it. Helm's own
// delimiters in it stay what they are.
func (h *holes) print(object map[string]any) (string, error) {
	data, err := yaml.Marshal(object)
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(string(data), "{{", `{{ "{{" }}`)
	text = holeLine.ReplaceAllStringFunc(text, func(line string) string {
		found := holeLine.FindStringSubmatch(line)
		i, err := strconv.Atoi(found[3])
		if err != nil || i >= len(h.list) {
			return line // none of ours; what is left over is refused below
		}
		return h.list[i](found[1], found[2])
	})
	if i := strings.Index(text, holePrefix); i >= 0 {
		return "", fmt.Errorf("%q is in the middle of a line", text[max(0, i-20):i+len(holePrefix)])
	}
	return text, nil
}

// indented sets all lines of a text in.
func indented(text, indent string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = indent + lines[i]
	}
	return strings.Join(lines, "\n")
}
