package capture

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func TestSplitList(t *testing.T) {
	for name, test := range map[string]struct {
		body  string
		items []string
		next  string
		fails bool
	}{
		"a list":             {`{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"7","continue":"abc"},"items":[{"a":1},{"b":[{}]}]}`, []string{`{"a":1}`, `{"b":[{}]}`}, "abc", false},
		"spaces, order":      {" {\n \"items\" : [ {\"a\": 1} ,\n{} ] , \"metadata\" : {} } ", []string{`{"a": 1}`, `{}`}, "", false},
		"no objects":         {`{"metadata":{},"items":[]}`, nil, "", false},
		"null":               {`{"items":null,"metadata":{"continue":"x"}}`, nil, "x", false},
		"brackets in text":   {`{"items":[{"a":"}]\"{"},{"b":"\\"}]}`, []string{`{"a":"}]\"{"}`, `{"b":"\\"}`}, "", false},
		"items in an object": {`{"items":[{"items":[{"items":1}]}],"other":{"items":[3]}}`, []string{`{"items":[{"items":1}]}`}, "", false},
		"cut off":            {`{"metadata":{},"items":[{"a":1},{"b"`, nil, "", true},
		"cut off in text":    {`{"items":[{"a":"`, nil, "", true},
		"no object":          {`[]`, nil, "", true},
		"nothing":            {``, nil, "", true},
		"no comma":           {`{"items":[{} {}]}`, nil, "", true},
		"items no array":     {`{"items":{}}`, nil, "", true},
	} {
		page, err := splitList([]byte(test.body))
		if (err != nil) != test.fails {
			t.Errorf("%s: %v", name, err)
		}
		if test.fails {
			continue
		}
		var items []string
		for _, item := range page.items {
			items = append(items, string(item))
		}
		if !reflect.DeepEqual(items, test.items) || page.next != test.next {
			t.Errorf("%s: got %q and %q", name, items, page.next)
		}
	}
}

// FuzzSplitList compares with encoding/json: whatever that reads as a list is taken
// apart into the same objects.
func FuzzSplitList(f *testing.F) {
	f.Add([]byte(`{"kind":"List","metadata":{"continue":"abc"},"items":[{"a":"\"}"},{"b":[1,2,{"c":null}]}]}`))
	f.Add([]byte(`{"items":[],"items":[{}]}`))
	f.Add([]byte(`{"items":[{"a":1},{"b"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := splitList(body)
		var want struct {
			Items []json.RawMessage `json:"items"`
		}
		var names map[string]json.RawMessage
		if !json.Valid(body) || json.Unmarshal(body, &names) != nil || json.Unmarshal(body, &want) != nil || sameButForCase(names) || repeated(body) {
			return
		}
		if err != nil {
			var metadata struct {
				Continue string `json:"continue"`
			}
			if json.Unmarshal(names["metadata"], &metadata) != nil && len(names["metadata"]) > 0 {
				return
			}
			t.Fatalf("%q: %v", body, err)
		}
		if len(page.items) != len(want.Items) {
			t.Fatalf("%q: got %d objects, want %d", body, len(page.items), len(want.Items))
		}
		for i := range page.items {
			if !bytes.Equal(page.items[i], want.Items[i]) {
				t.Fatalf("%q: object %d is %q, want %q", body, i, page.items[i], want.Items[i])
			}
		}
	})
}

// sameButForCase: encoding/json takes "Items" for items as well.
func sameButForCase(names map[string]json.RawMessage) bool {
	for name := range names {
		if name != "items" && bytes.EqualFold([]byte(name), []byte("items")) {
			return true
		}
	}
	return false
}

// repeated: names in other spellings, or twice, which no server sends.
func repeated(body []byte) bool {
	return bytes.Contains(body, []byte(`\u`)) || bytes.Count(body, []byte(`"items"`)) > 1
}

func TestNextLimit(t *testing.T) {
	for _, test := range []struct{ bytes, items, want int }{
		{0, 0, maxLimit},
		{100 * 2048, 100, maxLimit},
		{100 << 20, 100, 4},
		{10 << 20, 1, 1},
		{100 * 40960, 100, 102},
	} {
		if got := nextLimit(test.bytes, test.items); got != test.want {
			t.Errorf("%d bytes in %d objects: got %d, want %d", test.bytes, test.items, got, test.want)
		}
	}
}
