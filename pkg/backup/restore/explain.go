package restore

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/fedctl/fedctl/pkg/backup/content"
	"github.com/fedctl/fedctl/pkg/errtext"
)

// explain is a message about an object that was refused, with what to do.
func explain(resource content.Resource, err error) string {
	text := err.Error()
	if isSecret(resource) {
		text = errtext.OfSecret(err).Error()
	}
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(text, "cannot "):
		return text + "; " + RightsHint
	case apierrors.IsInvalid(err):
		if !isSecret(resource) {
			text = refusedFields(err)
		}
		if errtext.IsImmutable(err.Error()) {
			text += "; this cannot be changed in an object that exists: delete it and restore again"
		}
		return text
	case apierrors.IsBadRequest(err):
		if unknown := unknownFields(text); len(unknown) > 0 {
			if version, ok := versionRead(text); ok && version == resource.Version {
				return fmt.Sprintf("this cluster's definition of %s does not know all of its fields: %s; update the definition there and restore again, or remove the fields by a transform",
					resource.Name(), strings.Join(unknown, ", "))
			}
			return fmt.Sprintf("%s, as which it was saved, has fields that %s does not know: %s; remove them by a transform, or restore into a cluster that serves %s",
				resource.Version, servedVersion(text), strings.Join(unknown, ", "), resource.Version)
		}
	}
	return text
}

// refusedFields says what is wrong with which fields. The values that the server quotes
// are structs where they are not texts or numbers, and their difference fills pages.
func refusedFields(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil || len(status.Status().Details.Causes) == 0 {
		return firstLine(err.Error())
	}
	var list []string
	for _, cause := range status.Status().Details.Causes {
		text := withoutValue(firstLine(cause.Message))
		if cause.Field != "" && cause.Field != "<nil>" {
			text = cause.Field + ": " + text
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	const most = 5
	if more := len(list) - most; more > 0 {
		list = append(list[:most], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, "; ")
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return strings.TrimSpace(line)
}

// structured begins a value that is neither a text nor a number.
var structured = regexp.MustCompile(`^(Invalid value|Duplicate value|Unsupported value): (&?\w*\.?\w*\{|map\[|\[|&)`)

// withoutValue leaves out the value of which a message complains where it is a struct.
func withoutValue(message string) string {
	found := structured.FindStringSubmatchIndex(message)
	if found == nil {
		return message
	}
	start, depth, quoted := found[4], 0, false
	for i := start; i < len(message); i++ {
		switch c := message[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[' || c == '(':
			depth++
		case c == '}' || c == ']' || c == ')':
			depth--
		case c == ':' && depth == 0 && strings.HasPrefix(message[i:], ": "):
			return message[i+2:]
		}
	}
	return strings.ToLower(message[found[2]:found[3]])
}

var (
	unknownField = regexp.MustCompile(`unknown field "([^"]+)"`)
	inVersion    = regexp.MustCompile(`in version "([^"]+)"`)
)

func unknownFields(text string) []string {
	var list []string
	for _, found := range unknownField.FindAllStringSubmatch(text, -1) {
		list = append(list, found[1])
	}
	return list
}

// servedVersion is the version that the server has read an object as.
func servedVersion(text string) string {
	if version, ok := versionRead(text); ok {
		return version + " of the target"
	}
	return "the version that the target serves"
}

func versionRead(text string) (version string, ok bool) {
	found := inVersion.FindStringSubmatch(text)
	if found == nil {
		return "", false
	}
	_, version, ok = strings.Cut(found[1], "/")
	if !ok {
		version = found[1]
	}
	return version, true
}
