package union

import (
	"fmt"
	"strings"
	"testing"
)

func TestChanges(t *testing.T) {
	const object = `{"metadata":{"namespace":"n","name":"a","uid":"u","resourceVersion":"5"}}`
	row := func(name string) string {
		return `{"cells":[1],"object":{"metadata":{"name":"` + name + `"}}}`
	}
	table := func(rows ...string) string {
		return `{"metadata":{"resourceVersion":"9"},"columnDefinitions":[{"name":"Name"}],"rows":[` + strings.Join(rows, ",") + `]}`
	}
	for name, test := range map[string]struct {
		form  Form
		event Event
		want  string
	}{
		"an object":                   {Form{}, Event{Modified, []byte(object)}, "0: MODIFIED n/a u 5 "},
		"a bookmark":                  {Form{}, Event{Bookmark, []byte(`{"metadata":{"resourceVersion":"7"}}`)}, "0: BOOKMARK /  7 "},
		"a row with its object":       {Form{As: Table}, Event{Added, []byte(table(`{"object":` + object + `}`))}, "1: ADDED n/a u 5 "},
		"rows without a version":      {Form{As: Table}, Event{Added, []byte(table(row("a"), row("b")))}, "1: ADDED /a  9 ADDED /b  9 "},
		"a table without rows":        {Form{As: Table}, Event{Added, []byte(table())}, "1: "},
		"a table that is a bookmark":  {Form{As: Table}, Event{Bookmark, []byte(table())}, "1: BOOKMARK /  9 "},
		"a row that is none":          {Form{As: Table}, Event{Added, []byte(table(row("a"), `{"object":{"metadata":{},"metadata":{}}}`, row("b")))}, "1: ADDED /a  9 " + errTwice.Error()},
		"an object with two metadata": {Form{}, Event{Added, []byte(`{"metadata":{},"metadata":{}}`)}, "0: " + errTwice.Error()},
	} {
		columns, changes := test.form.Changes(test.event)
		got := fmt.Sprintf("%d: ", len(columns))
		for c, err := range changes {
			if err != nil {
				got += err.Error()
				continue
			}
			got += fmt.Sprintf("%s %s/%s %s %s ", c.Kind, c.ID.Namespace, c.ID.Name, c.ID.UID, c.Version)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
