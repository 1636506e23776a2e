package workload

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fedctl/fedctl/pkg/errtext"
)

// HealthStatus says in one word how an object fares where it is. The words are Argo CD's.
type HealthStatus string

// The words.
const (
	// Healthy is an object that does what it is for, or has done it.
	Healthy HealthStatus = "Healthy"
	// Progressing is one that does not yet, and may.
	Progressing HealthStatus = "Progressing"
	// Degraded is one that has failed, or has not become healthy in time.
	Degraded HealthStatus = "Degraded"
	// Suspended is one that somebody has told to wait.
	Suspended HealthStatus = "Suspended"
	// Unknown is one of which nobody can tell.
	Unknown HealthStatus = "Unknown"
)

// Health is how an object fares.
type Health struct {
	Status HealthStatus
	// Message says why it is not Healthy: one line, of a bounded length.
	Message string
}

// longestMessage is how much of what an object says of itself is kept, in bytes.
const longestMessage = 256

// rule judges an object. It is not asked of one that is being deleted, or whose controller
// has not seen it yet.
type rule func(object map[string]any) Health

func judged(judge rule, object map[string]any) Health {
	if h, early := tooEarly(object); early {
		return h
	}
	h := judge(object)
	h.Message = errtext.Bounded(h.Message, longestMessage)
	return h
}

// tooEarly says of an object whose status is not about what it is to be now.
func tooEarly(object map[string]any) (Health, bool) {
	if text, _ := at(object, "metadata.deletionTimestamp").(string); text != "" {
		return Health{Progressing, "it is being deleted"}, true
	}
	generation, _ := number(at(object, "metadata.generation"))
	observed, says := number(at(object, "status.observedGeneration"))
	if says && observed < generation {
		return NotObserved(generation), true
	}
	return Health{}, false
}

// NotObserved is the health of an object whose generation nobody has looked at yet.
func NotObserved(generation int64) Health {
	return Health{Progressing, fmt.Sprintf("generation %d has not been observed yet", generation)}
}

// byKstatus judges as kstatus does, which Flux and Helm use.
func byKstatus(object map[string]any) Health {
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	if err != nil {
		return Health{Unknown, "its status cannot be read"}
	}
	switch result.Status {
	case status.CurrentStatus:
		return Health{Status: Healthy}
	case status.FailedStatus:
		return Health{Degraded, cmp.Or(result.Message, "it has failed")}
	case status.InProgressStatus, status.TerminatingStatus:
		return Health{Progressing, result.Message}
	case status.NotFoundStatus, status.UnknownStatus:
	}
	return Health{Unknown, result.Message}
}

// suspendedBy has an object count as suspended while a field is true.
func suspendedBy(field string, judge rule) rule {
	return func(object map[string]any) Health {
		if at(object, field) == true {
			return Health{Suspended, field + " is true"}
		}
		return judge(object)
	}
}

// always has an object count as healthy as soon as it is there.
func always(map[string]any) Health { return Health{Status: Healthy} }

// conditions judges by which conditions are True; the first that is counts.
type conditions struct{ healthy, degraded, suspended []string }

func (c conditions) judge(object map[string]any) Health {
	for _, kind := range c.degraded {
		if condition := trueCondition(object, kind); condition != nil {
			return Health{Degraded, conditionText(condition)}
		}
	}
	for _, kind := range c.suspended {
		if condition := trueCondition(object, kind); condition != nil {
			return Health{Suspended, conditionText(condition)}
		}
	}
	for _, kind := range c.healthy {
		if trueCondition(object, kind) != nil {
			return Health{Status: Healthy}
		}
	}
	if len(c.healthy) == 0 {
		return Health{Progressing, ""}
	}
	return Health{Progressing, "not yet " + c.healthy[0]}
}

// trueCondition is a condition of the type that is True; nil if there is none.
func trueCondition(object map[string]any, kind string) map[string]any {
	return conditionLike(object, func(c map[string]any) bool { return c["type"] == kind && c["status"] == "True" })
}

// conditionOf is the condition of the type; nil if there is none.
func conditionOf(object map[string]any, kind string) map[string]any {
	return conditionLike(object, func(c map[string]any) bool { return c["type"] == kind })
}

func conditionLike(object map[string]any, like func(condition map[string]any) bool) map[string]any {
	list, _ := at(object, "status.conditions").([]any)
	for _, raw := range list {
		if condition, _ := raw.(map[string]any); condition != nil && like(condition) {
			return condition
		}
	}
	return nil
}

func conditionText(condition map[string]any) string {
	kind, _ := condition["type"].(string)
	return textOf(condition["reason"], condition["message"], kind)
}

// phases judges by a word that the status holds. A word that no list has is progress.
type phases struct {
	field                        string
	healthy, degraded, suspended []string
	// message is the field that says why.
	message string
}

func (p phases) judge(object map[string]any) Health {
	word, _ := at(object, p.field).(string)
	text, _ := at(object, p.message).(string)
	says := cmp.Or(text, p.field+" is "+cmp.Or(word, "empty"))
	switch {
	case slices.Contains(p.degraded, word):
		return Health{Degraded, says}
	case slices.Contains(p.suspended, word):
		return Health{Suspended, says}
	case slices.Contains(p.healthy, word):
		return Health{Status: Healthy}
	}
	return Health{Progressing, says}
}

// counts judges by how many replicas there are of those that are wanted.
type counts struct {
	// want is the field with the replicas that are wanted; otherwise, if it is not there.
	want      string
	otherwise int64
	// have are the fields that must be as large, in the order in which they become so.
	have []string
}

func (c counts) judge(object map[string]any) Health {
	want, says := number(at(object, c.want))
	if !says {
		want = c.otherwise
	}
	for _, field := range c.have {
		if have, _ := number(at(object, field)); have < want {
			return Health{Progressing, fmt.Sprintf("%s: %d/%d", field, have, want)}
		}
	}
	return Health{Status: Healthy}
}

// first takes what a rule says of an object that is not Progressing, and else asks the next one.
func first(rules ...rule) rule {
	return func(object map[string]any) Health {
		var h Health
		for _, judge := range rules {
			if h = judge(object); h.Status != Progressing {
				break
			}
		}
		return h
	}
}

// both has an object count as healthy if all rules say so.
func both(rules ...rule) rule {
	return func(object map[string]any) Health {
		for _, judge := range rules {
			if h := judge(object); h.Status != Healthy {
				return h
			}
		}
		return Health{Status: Healthy}
	}
}

// whileTrue has an object count as progressing while a condition is True.
func whileTrue(condition string, judge rule) rule {
	return func(object map[string]any) Health {
		if c := trueCondition(object, condition); c != nil {
			return Health{Progressing, conditionText(c)}
		}
		return judge(object)
	}
}

// failing has an object count as Degraded while a condition is True.
func failing(condition string, judge rule) rule {
	return func(object map[string]any) Health {
		if c := trueCondition(object, condition); c != nil {
			return Health{Degraded, conditionText(c)}
		}
		return judge(object)
	}
}

// number reads a whole number; some kinds write theirs as text.
func number(raw any) (value int64, isNumber bool) {
	switch raw := raw.(type) {
	case int64:
		return raw, true
	case float64:
		return int64(raw), true
	case string:
		value, err := strconv.ParseInt(raw, 10, 64)
		return value, err == nil
	}
	return 0, false
}
