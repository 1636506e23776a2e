package preview

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestListsAreComparedByKey(t *testing.T) {
	for name, test := range map[string]struct {
		before, after string
		want          []string
	}{
		"an item is put before others": {
			"[{name: web, image: a}, {name: log, image: b}]", "[{name: proxy}, {name: web, image: a}, {name: log, image: c}]",
			[]string{"f[name=log].image: b -> c", "f[name=proxy]: <nil> -> map[name:proxy]"},
		},
		"an item is gone":      {"[{name: web}, {name: log}]", "[{name: log}]", []string{"f[name=web]: map[name:web] -> <nil>"}},
		"all are gone":         {"[{name: web}]", "[]", []string{"f[name=web]: map[name:web] -> <nil>"}},
		"the order is another": {"[{name: a}, {name: b}, {name: c}]", "[{name: b}, {name: a}]", []string{"f[name=c]: map[name:c] -> <nil>", "f[order]: [name=a name=b] -> [name=b name=a]"}},
		"ports":                {"[{containerPort: 80}, {containerPort: 443}]", "[{containerPort: 443}]", []string{"f[containerPort=80]: map[containerPort:80] -> <nil>"}},
		"a volume that is mounted twice": {
			"[{name: v, mountPath: /a}, {name: v, mountPath: /b}]", "[{name: v, mountPath: /b, readOnly: true}]",
			[]string{"f[mountPath=/a]: map[mountPath:/a name:v] -> <nil>", "f[mountPath=/b].readOnly: <nil> -> true"},
		},
		"no key tells the items apart": {
			"[{key: a, effect: NoSchedule}]", "[{key: a, effect: NoSchedule}, {key: a, effect: NoExecute}]",
			[]string{"f[1]: <nil> -> map[effect:NoExecute key:a]"},
		},
		"items are no objects": {"[a, b]", "[b]", []string{"f[0]: a -> b", "f[1]: b -> <nil>"}},
		"nothing is different": {"[{name: a}, b]", "[{name: a}, b]", nil},
	} {
		var before, after any
		if err := errors.Join(yaml.Unmarshal([]byte(test.before), &before), yaml.Unmarshal([]byte(test.after), &after)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, change := range appendChanges(nil, "f", before, after, "") {
			got = append(got, fmt.Sprintf("%s: %v -> %v", change.Field, change.Before, change.After))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
