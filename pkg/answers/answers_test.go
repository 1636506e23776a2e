package answers_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fedctl/fedctl/pkg/answers"
)

// client leads to a server that does what answer does.
func client(t *testing.T, faults *answers.Faults, answer http.HandlerFunc) (*http.Client, string) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return &http.Client{Transport: answers.Guard(http.DefaultTransport, faults)}, server.URL
}

func read(t *testing.T, c *http.Client, request *http.Request) (n int64, err error) {
	t.Helper()
	response, err := c.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end or given up
	return io.Copy(io.Discard, response.Body)
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return request
}

// repeat writes text until nobody reads it.
func repeat(w io.Writer, text string) {
	page := []byte(strings.Repeat(text, 1+(64<<10)/len(text)))
	for {
		if _, err := w.Write(page); err != nil {
			return
		}
	}
}

func TestEndless(t *testing.T) {
	for name, test := range map[string]struct {
		query string
		most  int64
		do    http.HandlerFunc
	}{
		"list": {"", answers.Most, func(w http.ResponseWriter, _ *http.Request) { repeat(w, "[") }},
		"error": {"", answers.MostOfError, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			repeat(w, "no ")
		}},
		"gzip": {"", answers.Most, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			repeat(z, "[")
		}},
		"one event of a watch": {"?watch=true", answers.MostOfEvent, func(w http.ResponseWriter, _ *http.Request) { repeat(w, `{"a":"}\"",`+"\n") }},
		"space in a watch":     {"?watch=1", answers.MostOfEvent, func(w http.ResponseWriter, _ *http.Request) { repeat(w, "\n") }},
	} {
		t.Run(name, func(t *testing.T) {
			faults := &answers.Faults{}
			c, url := client(t, faults, test.do)
			n, err := read(t, c, get(t, url+"/api/v1/pods"+test.query))
			if err == nil || n > test.most+1<<20 {
				t.Errorf("%d bytes were read, %v", n, err)
			}
			if got := faults.Problem(); !strings.Contains(got, "GET /api/v1/pods: ") {
				t.Errorf("told: %q", got)
			}
		})
	}
}

// TestWatchHasNoEnd: its events are bounded, and not the watch.
func TestWatchHasNoEnd(t *testing.T) {
	c, url := client(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		event := []byte(`{"object":"` + strings.Repeat("x", 1<<20) + `"}` + "\n")
		for range answers.Most>>20 + 5 {
			_, _ = w.Write(event)
		}
	})
	if n, err := read(t, c, get(t, url+"?watch=true")); err != nil || n <= answers.Most {
		t.Errorf("%d bytes were read, %v", n, err)
	}
	request := get(t, url+"?watch=true&sendInitialEvents=true")
	ctx, initial := answers.WithInitial(t.Context(), 0)
	if n, err := read(t, c, request.WithContext(ctx)); !errors.Is(err, answers.ErrTooMuch) {
		t.Errorf("%d bytes of the beginning were read, %v", n, err)
	}
	letGo, _ := answers.WithInitial(t.Context(), 2*answers.Most)
	if n, err := read(t, c, request.WithContext(letGo)); err != nil || n <= answers.Most {
		t.Errorf("%d bytes were read of what is let go, %v", n, err)
	}
	letGo, _ = answers.WithInitial(t.Context(), answers.Most/2)
	if n, err := read(t, c, request.WithContext(letGo)); !errors.Is(err, answers.ErrTooMuch) {
		t.Errorf("%d bytes were read of what is let go, %v", n, err)
	}
	initial.Over()
	if n, err := read(t, c, request.WithContext(ctx)); err != nil || n <= answers.Most {
		t.Errorf("%d bytes were read after the beginning, %v", n, err)
	}
}

// TestTogether: many answers at a time have a bound of their own, and what was read is
// no longer counted.
func TestTogether(t *testing.T) {
	const size = 90 << 20
	c, url := client(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		page := make([]byte, 1<<20)
		for range size >> 20 {
			_, _ = w.Write(page)
		}
	})
	for range 2 { // the second round finds what the first has given back
		var open []io.Closer
		var err error
		for err == nil && len(open) < 4 {
			response, failed := c.Do(get(t, url)) //nolint:bodyclose // all of them are, below
			if failed != nil {
				t.Fatal(failed)
			}
			open = append(open, response.Body)
			_, err = io.Copy(io.Discard, response.Body)
		}
		if len(open) != 3 {
			t.Errorf("%d were read, %v", len(open), err)
		}
		for _, body := range open {
			_ = body.Close()
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer inside.Close()
	faults := &answers.Faults{}
	for _, code := range []int{301, 302, 303, 307, 308} {
		c, url := client(t, faults, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL+"/there?token=hidden", code)
		})
		_, err := read(t, c, get(t, url+"/api"))
		var redirect *answers.RedirectError
		if !errors.As(err, &redirect) || redirect.To != inside.URL+"/there" {
			t.Errorf("%d: got %v", code, err)
		}
	}
	if got := faults.Problem(); strings.Contains(got, "hidden") || !strings.Contains(got, inside.URL+"/there") {
		t.Errorf("told: %q", got)
	}
}

// TestPages: the pages of a list are bounded together, and another list begins anew.
func TestPages(t *testing.T) {
	c, url := client(t, nil, func(w http.ResponseWriter, _ *http.Request) {
		page := make([]byte, 1<<20)
		for range 50 {
			_, _ = w.Write(page)
		}
	})
	pages := &answers.Pages{}
	request := get(t, url)
	request = request.WithContext(answers.WithPages(request.Context(), pages))
	for range 2 {
		pages.Reset()
		for page := range 3 {
			if n, err := read(t, c, request); (err != nil) != (page == 2) {
				t.Errorf("page %d: %d bytes were read, %v", page, n, err)
			}
		}
	}
}

// TestRetryAfter: nobody sleeps for as long as a server likes.
func TestRetryAfter(t *testing.T) {
	for sent, want := range map[string]string{"1": "1", "5": "5", "6": "", "3600": "", "Wed, 21 Oct 2099 07:28:00 GMT": "", "-": ""} {
		c, url := client(t, nil, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", sent)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		response, err := c.Do(get(t, url))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := response.Header.Get("Retry-After"); got != want {
			t.Errorf("of %q is kept %q, want %q", sent, got, want)
		}
	}
}

// An error that quotes the request is told without the token, and otherwise as it is.
func TestNoErrorQuotesTheToken(t *testing.T) {
	c, url := client(t, nil, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "sent: "+r.Header.Get("Authorization")+", "+r.Header.Get("Accept"))
	})
	for header, want := range map[string]string{"Bearer planted-token": "sent: Bearer (the token), a", "Bearer a": "sent: Bearer a, a", "": "sent: , a"} {
		request := get(t, url)
		request.Header.Set("Accept", "a")
		if header != "" {
			request.Header.Set("Authorization", header)
		}
		response, err := c.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		_ = response.Body.Close()
	}
}
