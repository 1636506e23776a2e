package hostile

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// reads does harm to whoever reads objects; writes are answered without.
func reads(harm Mode) Mode {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			Harmless(w, r)
			return
		}
		harm(w, r)
	}
}

// lists does harm to whoever lists objects, and serves no watch that lists them.
func lists(harm Mode) Mode {
	return reads(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("sendInitialEvents") != "":
			status(w, http.StatusUnprocessableEntity, "Invalid", "sendInitialEvents is not known here")
		case r.URL.Query().Get("watch") != "":
			Harmless(w, r)
		default:
			w.Header().Set("Content-Type", "application/json")
			harm(w, r)
		}
	})
}

func status(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": message})
}

// object is the n-th of as many objects as are wanted, of about 1 KiB.
func object(n int) string {
	return fmt.Sprintf(`{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"o%d","namespace":"default","uid":"u%d","resourceVersion":"%d","labels":{"kubefed.io/managed":"true"},"annotations":{"a":"%s"}}}`,
		n, n, n+2, strings.Repeat("x", 800))
}

// endless is how many objects there are where there is no end of them: as much as no
// program may read, and not so much that the machine suffers where one does.
const endless = 1 << 20

// endlessly writes a list that has no end.
func endlessly(w io.Writer) {
	_, err := io.WriteString(w, listBegin+object(0))
	for n := 1; err == nil && n < endless; n++ {
		_, err = io.WriteString(w, ","+object(n))
	}
}

// The modes.
var (
	// EndlessList has a list without an end.
	EndlessList = lists(func(w http.ResponseWriter, _ *http.Request) { endlessly(w) })
	// GzipBomb is the same in a thousandth of the bytes.
	GzipBomb = lists(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			endlessly(w)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		endlessly(gzip.NewWriter(w))
	})
	// EndlessPages has one page after the other.
	EndlessPages = lists(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Replace(listBegin, `"continue":""`, `"continue":"more"`, 1)+object(0)+"]}")
	})
	// LargePages has one page of some MiB after the other.
	LargePages = lists(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, strings.Replace(listBegin, `"continue":""`, `"continue":"more"`, 1)+object(0))
		for n := 1; err == nil && n < 8<<10; n++ {
			_, err = io.WriteString(w, ","+object(n))
		}
		_, _ = io.WriteString(w, "]}")
	})
	// EndlessEvents has watches that tell of ever more objects that were there before.
	EndlessEvents = reads(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") == "" {
			Harmless(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		var err error
		for n := 0; err == nil && n < endless; n++ {
			_, err = io.WriteString(w, `{"type":"ADDED","object":`+object(n)+"}\n")
		}
	})
	// EndlessEvent has watches with one event that has no end.
	EndlessEvent = reads(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") == "" {
			Harmless(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `{"type":"ADDED","object":{"metadata":{"name":"`)
		page := strings.Repeat("x", 64<<10)
		for n := 0; err == nil && n < endless>>6; n++ {
			_, err = io.WriteString(w, page)
		}
	})
	// WrongKinds answers reads with objects of other kinds.
	WrongKinds = lists(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success","items":{"a":[]}}`)
	})
	// TooManyRequests answers everything with 429, and wants an hour's peace.
	TooManyRequests = Mode(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		status(w, http.StatusTooManyRequests, "TooManyRequests", "later")
	})
	// Broken answers everything with 500.
	Broken = Mode(func(w http.ResponseWriter, _ *http.Request) {
		status(w, http.StatusInternalServerError, "InternalError", "broken")
	})
)

// Flood has watches that tell ever again that an object has changed, and counts it.
func Flood(told *atomic.Int64) Mode {
	return reads(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") == "" {
			Harmless(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, `{"type":"ADDED","object":`+object(0)+"}\n")
		if r.URL.Query().Get("sendInitialEvents") == "true" {
			_, err = io.WriteString(w, initialEnd)
		}
		for err == nil && r.Context().Err() == nil {
			version := fmt.Sprintf(`"resourceVersion":"%d"`, 2+told.Add(1))
			_, err = io.WriteString(w, strings.Replace(`{"type":"MODIFIED","object":`+object(0)+"}\n", `"resourceVersion":"2"`, version, 1))
		}
	})
}

// Ending has watches that tell of one object and end, over and over.
var Ending = reads(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("watch") == "" {
		Harmless(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"type":"ADDED","object":`+object(0)+"}\n")
})

// Quoting takes no object, and says why with all of it.
func Quoting(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		Harmless(w, r)
		return
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	status(w, http.StatusUnprocessableEntity, "Invalid", fmt.Sprintf("%s is not what is wanted here", body))
}

// Answering takes every object, and says that it has become the text.
func Answering(text string) Mode {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			Harmless(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
	}
}

// Listing has a list that is the text, whatever it is.
func Listing(text string) Mode {
	return lists(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// Streaming has watches that tell the text, whatever it is, and then nothing.
func Streaming(text string) Mode {
	return reads(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") == "" {
			Harmless(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text)
		flush(w)
		<-r.Context().Done()
	})
}

// Redirecting sends every request elsewhere, with its body.
func Redirecting(to string) Mode {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, to+r.URL.Path, http.StatusTemporaryRedirect)
	}
}

// Refusing takes no object, and says why in so many bytes, some of them characters that
// control a terminal. The text begins with begin and ends with end.
func Refusing(begin, end string, size int) Mode {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			Harmless(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"`+begin+` `)
		page := `\u001b[31m\u0007\u202e` + strings.Repeat("x", 1000)
		for written := 0; written < size; written += len(page) {
			_, _ = io.WriteString(w, page)
		}
		_, _ = io.WriteString(w, ` `+end+`"}`)
	}
}
