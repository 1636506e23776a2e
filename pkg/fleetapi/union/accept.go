package union

import (
	"cmp"
	"mime"
	"slices"
	"strconv"
	"strings"
)

// Form is how an answer is written: always in JSON.
type Form struct {
	// As is empty for the objects themselves, else Table or PartialObjectMetadata.
	As string
	// Version of meta.k8s.io for it.
	Version string
}

// The forms beside that of the objects.
const (
	Table    = "Table"
	Metadata = "PartialObjectMetadata"

	jsonType  = "application/json"
	metaGroup = "meta.k8s.io"
)

// Accept chooses the form that a client prefers of those that there are. Not ok: it takes
// none of them.
func Accept(header []string) (form Form, ok bool) {
	type choice struct {
		form    Form
		quality float64
	}
	var choices []choice
	ranges := strings.Split(strings.Join(header, ","), ",")
	if strings.TrimSpace(strings.Join(header, "")) == "" {
		ranges = []string{jsonType}
	}
	for _, one := range ranges {
		media, parameters, err := mime.ParseMediaType(one)
		if err != nil || (media != jsonType && media != "*/*" && media != "application/*") {
			continue
		}
		quality := 1.0
		if q, err := strconv.ParseFloat(parameters["q"], 64); err == nil {
			quality = q
		}
		if f, known := formOf(parameters); known && quality > 0 {
			choices = append(choices, choice{f, quality})
		}
	}
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(b.quality, a.quality) })
	if len(choices) == 0 {
		return Form{}, false
	}
	return choices[0].form, true
}

func formOf(parameters map[string]string) (Form, bool) {
	as, version := strings.TrimSuffix(parameters["as"], "List"), parameters["v"]
	switch {
	case as == "":
		return Form{}, parameters["stream"] == ""
	case parameters["g"] != metaGroup || (version != "v1" && version != "v1beta1"):
		return Form{}, false
	case as == Table || as == Metadata:
		return Form{As: as, Version: version}, true
	}
	return Form{}, false
}

// List is what a member is asked for as a list in this form, Object as a single object.
func (f Form) List() string {
	if f.As == Metadata {
		return f.header(Metadata + "List")
	}
	return f.header(f.As)
}

// Object is what a member is asked for as a single object, or as the events of a watch.
func (f Form) Object() string { return f.header(f.As) }

func (f Form) header(as string) string {
	if as == "" {
		return jsonType
	}
	return jsonType + ";as=" + as + ";g=" + metaGroup + ";v=" + f.Version
}
