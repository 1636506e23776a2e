package federate

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"sigs.k8s.io/yaml"
)

func TestEncodeAsEncodingJSON(t *testing.T) {
	for _, value := range []any{
		nil, true, false, int64(0), int64(math.MinInt64), 1.0, 1e21, 1e-7, 3, uint8(4), json.Number("1.50"),
		"", "plain", `"quoted\"`, "<&>", "tab\tnewline\n\x00", "é\u2028", "\xff\xfe",
		map[string]any{}, map[string]any(nil), []any{}, []any(nil),
		map[string]any{"b": 1.5, "a": []any{nil, "x", map[string]any{"ä": 1, `"`: 2}}},
		[]string{"a"}, struct {
			A int `json:"a"`
		}{1},
	} {
		want, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendJSON(nil, value)
		if err != nil || string(got) != string(want) {
			t.Errorf("%#v: %s, %v, want %s", value, got, err, want)
		}
	}
	for _, value := range []any{math.NaN(), math.Inf(1), make(chan int), map[string]any{"a": math.NaN()}, []any{math.NaN()}} {
		if got, err := appendJSON(nil, value); err == nil {
			t.Errorf("%v: %s, want an error", value, got)
		}
	}
}

func TestEncodeLeavesOutNullTimestamps(t *testing.T) {
	for value, want := range map[string]string{
		`{"creationTimestamp":null}`:                              `{}`,
		`{"a":{"creationTimestamp":null,"z":1},"b":1}`:            `{"a":{"z":1},"b":1}`,
		`[{"a":1,"creationTimestamp":null}]`:                      `[{"a":1}]`,
		`{"creationTimestamp":"now","deletionTimestamp":null}`:    `{"creationTimestamp":"now","deletionTimestamp":null}`,
		`{"creationTimestamp":null,"d":["creationTimestamp",{}]}`: `{"d":["creationTimestamp",{}]}`,
	} {
		var decoded any
		if err := json.Unmarshal([]byte(value), &decoded); err != nil {
			t.Fatal(err)
		}
		if got, err := appendJSON(nil, decoded); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", value, got, err, want)
		}
	}
}

// What is sent is read as YAML, which allows fewer characters than JSON.
func TestWhatIsEncodedIsYAML(t *testing.T) {
	want := map[string]any{"text": "a\x7fb\u0080\u0085\u009f\ufeff\uffff<&>ü\n\t\u2028", "k\x7f": "v"}
	data, err := appendJSON(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	for _, decode := range []func([]byte, any) error{json.Unmarshal, func(data []byte, into any) error { return yaml.Unmarshal(data, into) }} {
		got := map[string]any{}
		if err := decode(data, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, %v", data, got, err)
		}
	}
}
