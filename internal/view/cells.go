package view

import (
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

const (
	// Empty stands in a cell for what is not there or not known.
	Empty = "-"
	// Unknown is a state that nobody can tell at the moment. It is never OK.
	Unknown = "Unknown"
)

// Text is a cell of one line.
func Text(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return Empty
	}
	return s
}

// Age is how long ago something was made.
func Age(at metav1.Time, now time.Time) string {
	if at.IsZero() {
		return Empty
	}
	return duration.HumanDuration(now.Sub(at.Time))
}

// Ago is when something was, as people say it.
func Ago(at *metav1.Time, now time.Time) string {
	if at == nil {
		return Empty
	}
	return duration.HumanDuration(now.Sub(at.Time)) + " ago"
}

// Stamp is when something is to be.
func Stamp(at *metav1.Time) string {
	if at == nil {
		return Empty
	}
	return at.UTC().Format(time.RFC3339)
}

// Size is a number of bytes.
func Size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }

// Columns are those of a table; those after the number of narrow ones are for -o wide.
func Columns(narrow int, names ...string) []metav1.TableColumnDefinition {
	list := make([]metav1.TableColumnDefinition, len(names))
	for i, name := range names {
		list[i] = metav1.TableColumnDefinition{Name: name, Type: "string"}
		if i >= narrow {
			list[i].Priority = 1
		}
	}
	return list
}
