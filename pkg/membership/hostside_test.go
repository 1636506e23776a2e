package membership

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRefusedCredentialsAreToldApart(t *testing.T) {
	for code, refused := range map[int]bool{http.StatusUnauthorized: true, http.StatusForbidden: false, http.StatusInternalServerError: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
		p := &prober{endpoint: server.URL, timeout: firstAnswer, http: server.Client()}
		if o := p.healthz(t.Context()); o.Refused != refused || o.Verdict != verdictNotReady {
			t.Errorf("%d: %+v", code, o)
		}
		server.Close()
	}
}

func TestNewCredentialsGetTheTimeToBecomeKnown(t *testing.T) {
	for name, test := range map[string]struct {
		answers []observation // one after the other
		want    observation
		calls   int
	}{
		"at once":      {[]observation{{Verdict: verdictReady}}, observation{Verdict: verdictReady}, 1},
		"later":        {[]observation{{Verdict: verdictNotReady, Refused: true}, {Verdict: verdictReady}}, observation{Verdict: verdictReady}, 2},
		"unreachable":  {[]observation{{Verdict: verdictOffline}}, observation{Verdict: verdictOffline}, 1},
		"in bad state": {[]observation{{Verdict: verdictNotReady}}, observation{Verdict: verdictNotReady}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			got := eventually(t.Context(), func(context.Context) observation {
				calls++
				return test.answers[calls-1]
			})
			if got != test.want || calls != test.calls {
				t.Errorf("%+v after %d probes, want %+v after %d", got, calls, test.want, test.calls)
			}
		})
	}
}
