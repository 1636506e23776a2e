package federate

import (
	"encoding/json"
	"math"
	"testing"
)

func TestEncodeAsEncodingJSON(t *testing.T) {
	for _, value := range []any{
		nil, true, false, int64(0), int64(math.MinInt64), 1.0, 1e21, 1e-7, 3, uint8(4), json.Number("1.50"),
		"", "plain", `"quoted\"`, "<&>", "tab\tnewline\n\x00\x7f", "é\u2028", "\xff\xfe",
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
