package union

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// FuzzScan holds what is found to be JSON, and where it ends, to encoding/json.
func FuzzScan(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-0,0.5,1e9,-1.5E-3,true,false,null,"x"],"b":{}}`, `["\u00fC\"\\\/\b\f\n\r\t", "ü\ud800", "a text of more than eight letters\""]`, ` [ ] `, `{ "a" : 1 , "b" : [ ] }`,
		`[01]`, `[1.]`, `[-]`, `[+1]`, `[1e]`, `[1,]`, `[,1]`, `{"a":1,}`, `{"a" 1}`, `{a:1}`, `{1:1}`, `["\x"]`, `["\u12g4"]`, "[\"\x1f\"]", "[\"\x7f\xff\"]", "[\"eight letters\x00\"]",
		`[tru]`, `[trues]`, `[nul`, `{"a":"b`, `[1`, `["\`, `["\u1`, `{"a"`, `{"a":`, `[[]`, `{}}`, `[]]`, `{]`, `"a"`, `"a" "b"`, "[\"\x80\x1e\"]", "[\"aaaaaaa\x22]", "[\"!\"\x23\x5d\x5b\"]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := []byte(text)
		at := skipSpace(in, 0)
		if at == len(in) || !strings.ContainsRune(`{["`, rune(in[at])) {
			return
		}
		end := scan(in, at, 0)
		var first json.RawMessage
		decoder := json.NewDecoder(bytes.NewReader(in))
		err := decoder.Decode(&first)
		switch {
		case (end >= 0) != (err == nil):
			t.Errorf("%q: %d, %v", text, end, err)
		case end >= 0 && (decoder.InputOffset() != int64(end) || string(first) != text[at:end]):
			t.Errorf("%q ends at %d, not at %d", text, decoder.InputOffset(), end)
		case end == short && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("%q is said to be JSON so far: %v", text, err)
		}
		for _, item := range [][]byte{in} { // and so in a list, whole or in pieces
			list := fmt.Sprintf(`{"items":[%s],"kind":"PodList","apiVersion":"v1"}`, item)
			_, whole, errWhole := readList(strings.NewReader(list), Form{})
			_, pieces, errPieces := readList(&twoBytes{list}, Form{})
			if fmt.Sprint(whole, errWhole) != fmt.Sprint(pieces, errPieces) {
				t.Errorf("%q: %q %v, in pieces %q %v", text, whole, errWhole, pieces, errPieces)
			}
		}
	})
}

// twoBytes reads two at a time.
type twoBytes struct{ left string }

func (r *twoBytes) Read(p []byte) (n int, err error) {
	if r.left == "" {
		return 0, io.EOF
	}
	n = copy(p, r.left[:min(2, len(r.left))])
	r.left = r.left[n:]
	return n, nil
}

func TestWhatIsNestedTooDeepIsNoJSON(t *testing.T) {
	for _, depth := range []int{mostNested, mostNested + 1} {
		text := []byte(strings.Repeat("[", depth) + strings.Repeat("]", depth))
		if got := scan(text, 0, 0) == len(text); got != json.Valid(text) {
			t.Errorf("%d deep: %v", depth, got)
		}
	}
}

// BenchmarkReadingAndMarking reads a list of ConfigMaps and writes them anew.
func BenchmarkReadingAndMarking(b *testing.B) {
	const objects = 500
	object := fmt.Sprintf(`{"metadata":{"name":"bench-1","namespace":"default","uid":"0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0","resourceVersion":"123456","creationTimestamp":"2026-01-01T00:00:00Z","managedFields":[{"manager":"bench","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:data":{".":{},"f:text":{}}}}]},"data":{"text":"%s"}}`, strings.Repeat("x", 1024))
	list := `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[` + strings.Repeat(object+",", objects-1) + object + `]}`
	b.SetBytes(int64(len(list)))
	b.ReportAllocs()
	var to []byte
	for b.Loop() {
		l := NewList(struct{ io.Reader }{strings.NewReader(list)}, Form{})
		to = to[:0]
		for {
			item, err := l.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
			if to, err = AppendObject(to, item, Mark{Cluster: "m"}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
